/* A pool of threads for the testbench: pool_run() is a parallel_for. Between two rounds its threads spin for a while,
 * since the next round of a run comes soon, and then sleep. Made by fovea; change it as you like. */
#ifndef FOVEA_POOL_H
#define FOVEA_POOL_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { POOL_MOST = 64, POOL_SPINS = 2000 };

typedef struct {
    /* Of one round, whose tasks are numbered: */
    void (*task)(void *arg, int32_t i);
    void *arg;
    uint32_t tasks;
    uint64_t next; /* the round in the upper half, the first task that nobody has taken in the lower one */
    uint32_t done;

    uint32_t round, stops, sleeping;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* round or done, while somebody sleeps */
    uint32_t threads;       /* with the one that calls */
    pthread_t workers[POOL_MOST];
} pool;

static void pool_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Returns once *word is no longer value. */
static void pool_wait(pool *p, const uint32_t *word, uint32_t value) {
    for (int i = 0; i < POOL_SPINS; i++) {
        if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) return;
        pool_pause();
    }
    pthread_mutex_lock(&p->mutex);
    __atomic_fetch_add(&p->sleeping, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value) pthread_cond_wait(&p->changed, &p->mutex);
    __atomic_fetch_sub(&p->sleeping, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&p->mutex);
}

/* After a word has changed: one who counted as sleeping before that is woken, one who does later sees the change. */
static void pool_wake(pool *p) {
    if (__atomic_load_n(&p->sleeping, __ATOMIC_SEQ_CST) == 0) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

/* Does tasks until all are taken. A thread that comes late may look at a round that is over, while the next one is
 * being written down: then its exchange fails, since `next` was closed before that. */
static void pool_do_tasks(pool *p) {
    for (;;) {
        uint64_t next = __atomic_load_n(&p->next, __ATOMIC_ACQUIRE);
        void (*const task)(void *arg, int32_t i) = __atomic_load_n(&p->task, __ATOMIC_ACQUIRE);
        void *const arg = __atomic_load_n(&p->arg, __ATOMIC_ACQUIRE);
        const uint32_t tasks = __atomic_load_n(&p->tasks, __ATOMIC_ACQUIRE), i = (uint32_t)next;
        if (i >= tasks) return;
        if (!__atomic_compare_exchange_n(&p->next, &next, next + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        task(arg, (int32_t)i);
        if (__atomic_add_fetch(&p->done, 1, __ATOMIC_SEQ_CST) == tasks) pool_wake(p);
    }
}

static void *pool_work(void *argument) {
    pool *const p = (pool *)argument;
    for (uint32_t seen = 0;;) {
        pool_wait(p, &p->round, seen);
        seen = __atomic_load_n(&p->round, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&p->stops, __ATOMIC_ACQUIRE)) return NULL;
        pool_do_tasks(p);
    }
}

static void pool_begin(pool *p) {
    __atomic_add_fetch(&p->round, 1, __ATOMIC_SEQ_CST);
    pool_wake(p);
}

/* Calls task(arg, i) for 0 <= i < n, on the pool's threads, and returns when all are done. Threads that the system lets
 * wait are not waited for: who is there does their tasks. */
static void pool_run(void *user, int32_t n, void (*task)(void *arg, int32_t i), void *arg) {
    pool *const p = (pool *)user;
    const uint64_t round = (uint64_t)(p->round + 1) << 32;
    __atomic_store_n(&p->next, round | UINT32_MAX, __ATOMIC_SEQ_CST);
    __atomic_store_n(&p->task, task, __ATOMIC_RELEASE);
    __atomic_store_n(&p->arg, arg, __ATOMIC_RELEASE);
    __atomic_store_n(&p->tasks, (uint32_t)n, __ATOMIC_RELEASE);
    __atomic_store_n(&p->done, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&p->next, round, __ATOMIC_SEQ_CST);
    pool_begin(p);
    pool_do_tasks(p);
    for (uint32_t done; (done = __atomic_load_n(&p->done, __ATOMIC_ACQUIRE)) != (uint32_t)n;)
        pool_wait(p, &p->done, done);
}

static void pool_stop(pool *p) {
    __atomic_store_n(&p->stops, 1, __ATOMIC_SEQ_CST);
    pool_begin(p);
    for (uint32_t i = 1; i < p->threads; i++) pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
}

/* Starts threads - 1 threads, at most POOL_MOST - 1. Returns 0 where the system has no more of them. */
static int pool_start(pool *p, uint32_t threads) {
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        if (pthread_create(&p->workers[p->threads], NULL, pool_work, p) == 0) continue;
        pool_stop(p);
        return 0;
    }
    return 1;
}

#endif
