#define _GNU_SOURCE
#include "loci_linux.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

// Where the running thread's guarded copy returns to on a fault; NULL outside of one.
static __thread sigjmp_buf *volatile loci_return_point;

static struct sigaction loci_previous_bus;
static struct sigaction loci_previous_segv;

static void loci_on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    // The kernel's own faults have a positive code; what a process sent by kill has not.
    if (loci_return_point && info->si_code > 0) siglongjmp(*loci_return_point, 1);
    // Not ours: with the previous action in place the instruction faults again and meets it.
    sigaction(number, number == SIGBUS ? &loci_previous_bus : &loci_previous_segv, NULL);
    if (info->si_code <= 0) raise(number);
}

static void loci_install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = loci_on_fault;
    sigemptyset(&action.sa_mask);
    // NODEFER: the signal is not masked in the handler, so leaving by a jump needs no system call.
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaction(SIGBUS, &action, &loci_previous_bus);
    sigaction(SIGSEGV, &action, &loci_previous_segv);
}

void loci_install_fault_guard(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, loci_install);
}

int loci_guarded_copy(void *target, const void *source, size_t count) {
    sigjmp_buf point;
    if (sigsetjmp(point, 0)) {
        loci_return_point = NULL;
        return -1;
    }
    loci_return_point = &point;
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(target, source, count);
    atomic_signal_fence(memory_order_seq_cst);
    loci_return_point = NULL;
    return 0;
}
