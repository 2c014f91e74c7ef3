/* A pool of threads for the testbench: pool_run() is a parallel_for. A thread does the tasks of its own number, so that
 * what a step reads from run to run stays in that core's caches. Between two rounds the threads spin for a while, since
 * the next round of a run comes soon, and then sleep. Made by fovea; change it as you like. */
#ifndef FOVEA_POOL_H
#define FOVEA_POOL_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>

/* SPINS: for each thread, as waking many takes longer than waking one. LINES: bytes that cores hand over together. */
enum { POOL_MOST = 64, POOL_SPINS = 1000, POOL_LINES = 128 };

/* What threads wait for in their sleep, and how many do. */
typedef struct {
    pthread_cond_t changed;
    uint32_t sleeping;
} pool_bell;

typedef struct {
    /* A round: its number, odd while it is written down, and its tasks. */
    uint64_t round;
    void (*task)(void *arg, int32_t i);
    void *arg;
    uint32_t tasks;

    /* The round that is written down, for those who wait for it: apart, so that they do not read what is being written.
     * Of each task the last round in which it was taken; and one more once it is done. */
    unsigned char before[POOL_LINES];
    uint64_t announced;
    unsigned char between[POOL_LINES - sizeof(uint64_t)];
    struct {
        uint64_t state;
        unsigned char rest[POOL_LINES - sizeof(uint64_t)];
    } taken[POOL_MOST];

    pthread_mutex_t mutex;
    pool_bell begun, done;
    uint32_t stops, numbered, spins, threads; /* threads: with the one that calls */
    pthread_t workers[POOL_MOST];
} pool;

static void pool_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Returns once *word is no longer value. */
static void pool_wait(pool *p, pool_bell *bell, const uint64_t *word, uint64_t value) {
    for (uint32_t i = 0; i < p->spins; i++) {
        if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) return;
        pool_pause();
    }
    pthread_mutex_lock(&p->mutex);
    __atomic_fetch_add(&bell->sleeping, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value) pthread_cond_wait(&bell->changed, &p->mutex);
    __atomic_fetch_sub(&bell->sleeping, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&p->mutex);
}

/* Changes a word. One who counted as sleeping before that is woken, one who does later sees the change. */
static void pool_set(pool *p, pool_bell *bell, uint64_t *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&bell->sleeping, __ATOMIC_SEQ_CST) == 0) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&bell->changed);
    pthread_mutex_unlock(&p->mutex);
}

/* Does the task of this number, and then those that nobody has taken. A thread that comes late may find a round that is
 * over: then all its tasks are taken, or another is written down already. */
static void pool_do_tasks(pool *p, uint64_t round, uint32_t number) {
    void (*const task)(void *arg, int32_t i) = __atomic_load_n(&p->task, __ATOMIC_ACQUIRE);
    void *const arg = __atomic_load_n(&p->arg, __ATOMIC_ACQUIRE);
    const uint32_t tasks = __atomic_load_n(&p->tasks, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&p->round, __ATOMIC_ACQUIRE) != round) return;
    for (uint32_t k = 0; k < tasks; k++) {
        const uint32_t i = (number + k) % tasks;
        uint64_t *const state = &p->taken[i].state, last = __atomic_load_n(state, __ATOMIC_ACQUIRE);
        if (last >= round) continue;
        if (!__atomic_compare_exchange_n(state, &last, round, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        task(arg, (int32_t)i);
        pool_set(p, &p->done, state, round + 1);
    }
}

static void *pool_work(void *argument) {
    pool *const p = (pool *)argument;
    const uint32_t number = __atomic_add_fetch(&p->numbered, 1, __ATOMIC_RELAXED);
    for (uint64_t seen = 0;;) {
        pool_wait(p, &p->begun, &p->announced, seen);
        seen = __atomic_load_n(&p->announced, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&p->stops, __ATOMIC_ACQUIRE)) return NULL;
        pool_do_tasks(p, seen, number);
    }
}

/* Calls task(arg, i) for 0 <= i < n, n at most POOL_MOST, on the pool's threads, and returns when all are done. Threads
 * that the system lets wait are not waited for: who is there does their tasks. */
static void pool_run(void *user, int32_t n, void (*task)(void *arg, int32_t i), void *arg) {
    pool *const p = (pool *)user;
    const uint64_t round = p->round + 2;
    __atomic_store_n(&p->round, round - 1, __ATOMIC_RELAXED);
    __atomic_store_n(&p->task, task, __ATOMIC_RELEASE);
    __atomic_store_n(&p->arg, arg, __ATOMIC_RELEASE);
    __atomic_store_n(&p->tasks, (uint32_t)n, __ATOMIC_RELEASE);
    __atomic_store_n(&p->round, round, __ATOMIC_RELEASE);
    pool_set(p, &p->begun, &p->announced, round);
    pool_do_tasks(p, round, 0);
    for (int32_t i = 0; i < n; i++) pool_wait(p, &p->done, &p->taken[i].state, round);
}

static void pool_stop(pool *p) {
    __atomic_store_n(&p->stops, 1, __ATOMIC_SEQ_CST);
    pool_set(p, &p->begun, &p->announced, p->round + 2);
    for (uint32_t i = 1; i < p->threads; i++) pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->begun.changed);
    pthread_cond_destroy(&p->done.changed);
    pthread_mutex_destroy(&p->mutex);
}

/* Starts threads - 1 threads, at most POOL_MOST - 1. Returns 0 where the system has no more of them. */
static int pool_start(pool *p, uint32_t threads) {
    memset(p, 0, sizeof *p);
    p->spins = POOL_SPINS * threads;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->begun.changed, NULL);
    pthread_cond_init(&p->done.changed, NULL);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        if (pthread_create(&p->workers[p->threads], NULL, pool_work, p) == 0) continue;
        pool_stop(p);
        return 0;
    }
    return 1;
}

#endif
