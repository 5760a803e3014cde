/* Answers the calls that loads to a GPU make, of libcuda.so.1, libnvidia-ml.so.1 and libcufile.so.0, with host memory.

   As the real driver does, a copy of page-locked memory only happens some time before it was waited for, and a copy
   of other memory is staged before the call returns. STUB_MEMORY is the device's memory in bytes; STUB_REFUSES names
   calls that fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, NOT_FOUND = 500, NOT_SUPPORTED = 801 };

typedef struct { char *dst; const char *src; size_t n; } Copy;
typedef struct { size_t after; } Event;
typedef struct { uintptr_t begin, end; } Range;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Copy copies[1 << 16];
static size_t started, done;
size_t stub_under_way(void) { return started - done; }
static Range locked[4096];
static size_t locked_count, used;

static int refuses(const char *call) {
    const char *list = getenv("STUB_REFUSES");
    return list && strstr(list, call);
}

static size_t memory(void) {
    const char *text = getenv("STUB_MEMORY");
    return text ? strtoull(text, NULL, 10) : (size_t)1 << 40;
}

static int is_locked(const void *p, size_t n) {
    for (size_t i = 0; i < locked_count; i++)
        if (locked[i].begin <= (uintptr_t)p && (uintptr_t)p + n <= locked[i].end) return 1;
    return 0;
}

static void lock_range(uintptr_t begin, size_t n) {
    size_t r = 0;
    while (r < locked_count && locked[r].end) r++;
    if (r == 4096) abort();
    locked[r] = (Range){begin, begin + n};
    if (r == locked_count) locked_count++;
}

static void copy_until(size_t end) {
    for (; done < end; done++) {
        Copy *copy = &copies[done % (1 << 16)];
        memcpy(copy->dst, copy->src, copy->n);
    }
}

int cuInit(unsigned flags) { return refuses("cuInit") ? NO_DEVICE : SUCCESS; }
int cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal ? 101 : SUCCESS; }
int cuDeviceGetName(char *name, int n, int device) { snprintf(name, n, "Stub device"); return SUCCESS; }
int cuDeviceGetPCIBusId(char *bus, int n, int device) { snprintf(bus, n, "0000:C1:00.0"); return SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)0x10; return SUCCESS; }
int cuCtxSetCurrent(void *context) { return context == (void *)0x10 ? SUCCESS : INVALID; }
int cuStreamCreate(void **stream, unsigned flags) { *stream = (void *)0x20; return SUCCESS; }
int cuMemGetInfo(size_t *free, size_t *total) { *total = memory(); *free = memory() - used; return SUCCESS; }

int cuMemAlloc(uint64_t *address, size_t n) {
    if (used + n > memory()) return OUT_OF_MEMORY;
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return OUT_OF_MEMORY;
    used += n;
    *address = (uint64_t)(uintptr_t)p;
    return SUCCESS;
}

int cuMemHostAlloc(void **p, size_t n, unsigned flags) {
    if (refuses("cuMemHostAlloc") || posix_memalign(p, 4096, n)) return OUT_OF_MEMORY;
    lock_range((uintptr_t)*p, n);
    return SUCCESS;
}

int cuMemHostRegister(void *p, size_t n, unsigned flags) {
    if (refuses("cuMemHostRegister") || (uintptr_t)p % 4096) return NOT_SUPPORTED;
    lock_range((uintptr_t)p, n);
    return SUCCESS;
}

int cuMemHostUnregister(void *p) {
    int result = INVALID;
    pthread_mutex_lock(&lock);
    for (size_t r = 0; r < locked_count; r++) {
        if (locked[r].begin != (uintptr_t)p) continue;
        /* A copy of it that is still under way finds nothing there: as wrong as it would be. */
        for (size_t i = done; i < started; i++) {
            uintptr_t src = (uintptr_t)copies[i % (1 << 16)].src;
            if (locked[r].begin <= src && src < locked[r].end) copies[i % (1 << 16)].n = 0;
        }
        locked[r] = (Range){0, 0};
        result = SUCCESS;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int cuMemcpyHtoDAsync(uint64_t dst, const void *src, size_t n, void *stream) {
    pthread_mutex_lock(&lock);
    if (started - done == 1 << 16) copy_until(started);
    copies[started++ % (1 << 16)] = (Copy){(char *)(uintptr_t)dst, src, n};
    if (!is_locked(src, n)) copy_until(started);
    pthread_mutex_unlock(&lock);
    return stream == (void *)0x20 ? SUCCESS : INVALID;
}

int cuMemcpyDtoH(void *dst, uint64_t src, size_t n) { memcpy(dst, (void *)(uintptr_t)src, n); return SUCCESS; }
int cuEventCreate(void **event, unsigned flags) { *event = calloc(1, sizeof(Event)); return SUCCESS; }
int cuEventRecord(void *event, void *stream) { ((Event *)event)->after = started; return SUCCESS; }
int cuEventDestroy(void *event) { free(event); return SUCCESS; }

int cuEventSynchronize(void *event) {
    pthread_mutex_lock(&lock);
    copy_until(((Event *)event)->after);
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

int cuStreamSynchronize(void *stream) {
    pthread_mutex_lock(&lock);
    copy_until(started);
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

int cuGetErrorName(int error, const char **name) { *name = "STUB"; return SUCCESS; }
int cuGetErrorString(int error, const char **text) { *text = "stub"; return SUCCESS; }

int cuGetProcAddress_v2(const char *symbol, void **found, int version, uint64_t flags, int *status) {
    *found = dlsym(RTLD_DEFAULT, symbol);
    if (!*found) {
        Dl_info info;
        void *self = dladdr((void *)cuInit, &info) ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
        *found = self ? dlsym(self, symbol) : NULL;
    }
    if (status) *status = *found ? 0 : 1;
    return *found ? SUCCESS : NOT_FOUND;
}

/* NVML: a link of generation 5 with 16 lanes; of generation 1 while nothing is being copied, as real ones rest. */
static int copies_now(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    size_t (*under_way)(void) = driver ? (size_t (*)(void))dlsym(driver, "stub_under_way") : NULL;
    return under_way && under_way() > 0;
}
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlInit_v2(void) { return 0; }
const char *nvmlErrorString(int error) { return "stub"; }
int nvmlSystemGetDriverVersion(char *text, unsigned n) { snprintf(text, n, "580.00"); return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) {
    *device = (void *)0x30;
    return strcasecmp(bus, "0000:c1:00.0") ? 6 : 0;
}
int nvmlDeviceGetCurrPcieLinkGeneration(void *device, unsigned *value) { *value = copies_now() ? 5 : 1; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(void *device, unsigned *value) { *value = 16; return 0; }
int nvmlDeviceGetMaxPcieLinkGeneration(void *device, unsigned *value) { *value = 5; return 0; }
int nvmlDeviceGetMaxPcieLinkWidth(void *device, unsigned *value) { *value = 16; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) { *reasons = 4; return 0; }

/* cuFile: reads by the processor, as its compatibility mode does. */
typedef struct { int error, driver_error; } CUfileError;
typedef struct { int type; union { int fd; void *handle; } handle; const void *operations; } CUfileDescr;

CUfileError cuFileDriverOpen(void) { return (CUfileError){refuses("cuFileDriverOpen") ? 5001 : 0, 0}; }
CUfileError cuFileHandleRegister(void **handle, CUfileDescr *descr) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descr->handle.fd);
    int fd = open(path, O_RDONLY);
    *handle = (void *)(intptr_t)fd;
    return (CUfileError){fd < 0 ? 5008 : 0, 0};
}
void cuFileHandleDeregister(void *handle) { close((int)(intptr_t)handle); }
ssize_t cuFileRead(void *handle, void *base, size_t n, off_t file_offset, off_t offset) {
    /* A short read now and then, as is allowed. */
    if (n > 65536) n -= 4096;
    return pread((int)(intptr_t)handle, (char *)base + offset, n, file_offset);
}
