/* A pool of threads for the testbench: pool_run() is a parallel_for. Between two rounds its threads spin for a while,
 * since the next round of a run comes soon, and then sleep. Made by fovea; change it as you like. */
#ifndef FOVEA_POOL_H
#define FOVEA_POOL_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { POOL_MOST = 64, POOL_SPINS = 20000 };

typedef struct pool pool;

typedef struct {
    pool *owner;
    pthread_t thread;
    uint32_t number; /* from 1; the thread that calls pool_run() is 0 */
} pool_worker;

/* The first three are of one round: written before it, and read by those who take part in it. */
struct pool {
    void (*task)(void *arg, int32_t i);
    void *arg;
    int32_t tasks;

    /* Read and written with __atomic functions: */
    uint32_t round; /* its number in all bits but the lowest 8, in which is how many threads take part */
    uint32_t left;  /* workers who have not finished this round */
    int32_t next;   /* the first task that nobody has taken */
    uint32_t sleeping;

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* round or left, while somebody sleeps */
    uint32_t threads;       /* with the one that calls */
    pool_worker workers[POOL_MOST];
};

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

static void pool_do_tasks(pool *p) {
    for (int32_t i; (i = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED)) < p->tasks;) p->task(p->arg, i);
}

static void *pool_work(void *argument) {
    const pool_worker *const self = (const pool_worker *)argument;
    pool *const p = self->owner;
    for (uint32_t seen = 0;;) {
        pool_wait(p, &p->round, seen);
        seen = __atomic_load_n(&p->round, __ATOMIC_ACQUIRE);
        if ((seen & 255) == 0) return NULL; /* a round without threads ends the pool */
        if (self->number >= (seen & 255)) continue;
        pool_do_tasks(p);
        if (__atomic_sub_fetch(&p->left, 1, __ATOMIC_SEQ_CST) == 0) pool_wake(p);
    }
}

static void pool_begin(pool *p, uint32_t taking_part) {
    __atomic_store_n(&p->round, (p->round & ~(uint32_t)255) + 256 + taking_part, __ATOMIC_SEQ_CST);
    pool_wake(p);
}

/* Calls task(arg, i) for 0 <= i < n, on the pool's threads, and returns when all are done. */
static void pool_run(void *user, int32_t n, void (*task)(void *arg, int32_t i), void *arg) {
    pool *const p = (pool *)user;
    const uint32_t taking_part = n < 1 ? 1 : (uint32_t)n < p->threads ? (uint32_t)n : p->threads;
    p->task = task;
    p->arg = arg;
    p->tasks = n;
    __atomic_store_n(&p->next, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&p->left, taking_part - 1, __ATOMIC_RELAXED);
    if (taking_part > 1) pool_begin(p, taking_part);
    pool_do_tasks(p);
    for (uint32_t left; (left = __atomic_load_n(&p->left, __ATOMIC_ACQUIRE)) != 0;) pool_wait(p, &p->left, left);
}

static void pool_stop(pool *p) {
    pool_begin(p, 0);
    for (uint32_t i = 1; i < p->threads; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
}

/* Starts threads - 1 threads, at most POOL_MOST - 1. Returns 0 where the system has no more of them. */
static int pool_start(pool *p, uint32_t threads) {
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        pool_worker *const worker = &p->workers[p->threads];
        worker->owner = p;
        worker->number = p->threads;
        if (pthread_create(&worker->thread, NULL, pool_work, worker) == 0) continue;
        pool_stop(p);
        return 0;
    }
    return 1;
}

#endif
