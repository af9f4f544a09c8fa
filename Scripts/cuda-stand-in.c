// A stand-in for the CUDA runtime and driver on a machine without a GPU, to be preloaded before the
// real libtorch_cuda: devices, memory, copies and streams work; kernels do nothing. It shows what
// needs no arithmetic: that libtorch's CUDA part loads, that devices are counted and chosen, that
// tensors lie where they should, that the host never touches the memory of a device, how much of it
// is allocated, and how often the host waits. Scripts/cuda-stand-in.sh builds and uses it.
//
//   CUDA_STAND_IN_DEVICES=N      number of devices, up to 8 (default: 1); 0 for none, as is
//                                CUDA_VISIBLE_DEVICES= with nothing behind it
//   CUDA_STAND_IN_MEMORY=BYTES   memory of each (default: 80e9)
//   CUDA_STAND_IN_ERROR=CODE     counting the devices fails: 35 for a driver that is too old
//   CUDA_STAND_IN_ZEROS=1        all that is copied from a device is zeros, so that what depends on
//                                results never sees what happened to lie there
//   CUDA_STAND_IN_COUNTS=FILE    at the end, appends how much was done
//
// The memory of a device is addresses that the host may not touch; copies go to a shadow of it. All
// work is done when it is given, so that it does not show memory that is freed too early. A copy to
// the device from memory that is not page-locked counts as a wait: a real one may wait for all
// earlier work.
#define _GNU_SOURCE
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { most_devices = 8 };
static const size_t span = (size_t)1 << 40; // addresses of one device
static const size_t page = 4096;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *device_base, *shadow_base;
static size_t used[most_devices], peak[most_devices], next[most_devices];
static int devices = -1, failure, zeros;
static double memory;
static _Thread_local int current;
static _Thread_local cudaError_t last_error;

static atomic_long launches, products, uploads, downloads, waits, allocations;
static atomic_long uploaded, downloaded;
#define COUNT(counter, n) ((void)atomic_fetch_add(&(counter), n))

struct block {
    char *address;
    size_t size;
};
// Those of a device lie in the order of their addresses, which are never reused.
static struct block *blocks[most_devices];
static size_t block_count[most_devices], block_capacity[most_devices];

static void tell(void) {
    const char *path = getenv("CUDA_STAND_IN_COUNTS");
    FILE *file = path == NULL ? NULL : fopen(path, "a");
    if (file == NULL) return;
    fprintf(file,
            "kernels %ld products %ld uploads %ld (%ld bytes) downloads %ld (%ld bytes) waits %ld "
            "allocations %ld\n",
            launches, products, uploads, uploaded, downloads, downloaded, waits, allocations);
    for (int d = 0; d < devices; d++)
        fprintf(file, "device %d: at most %zu bytes\n", d, peak[d]);
    fclose(file);
}

static void start(void) {
    pthread_mutex_lock(&lock);
    if (devices < 0) {
        const char *text = getenv("CUDA_STAND_IN_MEMORY");
        memory = text == NULL ? 80e9 : atof(text);
        text = getenv("CUDA_STAND_IN_ERROR");
        failure = text == NULL ? 0 : atoi(text);
        zeros = getenv("CUDA_STAND_IN_ZEROS") != NULL;
        text = getenv("CUDA_STAND_IN_DEVICES");
        devices = text == NULL ? 1 : atoi(text);
        const char *visible = getenv("CUDA_VISIBLE_DEVICES");
        if (devices < 0 || (visible != NULL && *visible == '\0')) devices = 0;
        if (devices > most_devices) devices = most_devices;
        device_base = mmap(NULL, span * most_devices, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        shadow_base = mmap(NULL, span * most_devices, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (device_base == MAP_FAILED || shadow_base == MAP_FAILED) abort();
        atexit(tell);
        // cuDNN talks to the driver on its own: convolutions take libtorch's other way.
        void *torch = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
        void *(*context)(void) = torch ? dlsym(torch, "_ZN2at13globalContextEv") : NULL;
        void (*enable)(void *, int) =
            torch ? dlsym(torch, "_ZN2at7Context19setUserEnabledCuDNNEb") : NULL;
        if (context != NULL && enable != NULL) enable(context(), 0);
    }
    pthread_mutex_unlock(&lock);
}

static int on_device(const void *p) {
    return device_base != NULL && (char *)p >= device_base &&
           (char *)p < device_base + span * most_devices;
}
static void *host_view(const void *p) {
    return on_device(p) ? shadow_base + ((char *)p - device_base) : (void *)p;
}
static cudaError_t failing(cudaError_t code) {
    last_error = code;
    return code;
}

// Devices.

cudaError_t cudaGetDeviceCount(int *count) {
    start();
    *count = failure ? 0 : devices;
    if (failure) return failing((cudaError_t)failure);
    return devices == 0 ? failing(cudaErrorNoDevice) : cudaSuccess;
}
cudaError_t cudaGetDevice(int *device) { return *device = current, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
    start();
    if (device < 0 || device >= devices) return failing(cudaErrorInvalidDevice);
    return current = device, cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
    start();
    if (device < 0 || device >= devices) return failing(cudaErrorInvalidDevice);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "stand-in %d", device);
    p->totalGlobalMem = (size_t)memory;
    // From 9 on attention, too, would be that of cuDNN.
    p->major = 8;
    p->multiProcessorCount = 132;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->maxThreadsPerMultiProcessor = 2048;
    p->maxBlocksPerMultiProcessor = 32;
    p->sharedMemPerBlock = 49152;
    p->sharedMemPerBlockOptin = 232448;
    p->sharedMemPerMultiprocessor = 233472;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->l2CacheSize = 50 << 20;
    p->textureAlignment = 512;
    p->unifiedAddressing = 1;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024, p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 0x7fffffff, p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    (void)device;
    switch (attribute) {
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 232448; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = 49152; break;
        case cudaDevAttrMultiProcessorCount: *value = 132; break;
        case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
        case cudaDevAttrComputeCapabilityMajor: *value = 8; break;
        case cudaDevAttrWarpSize: *value = 32; break;
        case cudaDevAttrMaxGridDimX: *value = 0x7fffffff; break;
        case cudaDevAttrMaxGridDimY: *value = 65535; break;
        default: *value = 0;
    }
    return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int *can, int a, int b) { return *can = a != b, cudaSuccess; }
cudaError_t cudaDeviceEnablePeerAccess(int a, unsigned b) { return (void)a, (void)b, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int *version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetLastError(void) {
    cudaError_t code = last_error;
    last_error = cudaSuccess;
    return code;
}
cudaError_t cudaPeekAtLastError(void) { return last_error; }
cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *status) {
    (void)symbol, (void)version, (void)flags;
    *function = NULL;
    if (status != NULL) *status = cudaDriverEntryPointSymbolNotFound;
    return failing(cudaErrorNotSupported);
}

// Memory.

cudaError_t cudaMalloc(void **pointer, size_t size) {
    start();
    const size_t whole = (size + page - 1) / page * page;
    pthread_mutex_lock(&lock);
    const int d = current;
    if ((double)(used[d] + whole) > memory || next[d] + whole > span) {
        pthread_mutex_unlock(&lock);
        return failing(cudaErrorMemoryAllocation);
    }
    if (block_count[d] == block_capacity[d]) {
        block_capacity[d] = block_capacity[d] ? 2 * block_capacity[d] : 1024;
        blocks[d] = realloc(blocks[d], block_capacity[d] * sizeof *blocks[d]);
        if (blocks[d] == NULL) abort();
    }
    *pointer = device_base + span * d + next[d];
    blocks[d][block_count[d]++] = (struct block){*pointer, whole};
    next[d] += whole;
    used[d] += whole;
    if (used[d] > peak[d]) peak[d] = used[d];
    pthread_mutex_unlock(&lock);
    COUNT(allocations, 1);
    return cudaSuccess;
}
cudaError_t cudaFree(void *pointer) {
    if (pointer == NULL) return cudaSuccess;
    if (!on_device(pointer)) return failing(cudaErrorInvalidValue);
    const int d = (int)(((char *)pointer - device_base) / span);
    pthread_mutex_lock(&lock);
    size_t low = 0, high = block_count[d];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (blocks[d][middle].address < (char *)pointer) low = middle + 1;
        else high = middle;
    }
    if (low < block_count[d] && blocks[d][low].address == pointer) {
        used[d] -= blocks[d][low].size;
        madvise(host_view(pointer), blocks[d][low].size, MADV_DONTNEED);
        blocks[d][low].size = 0;
    }
    pthread_mutex_unlock(&lock);
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
    start();
    pthread_mutex_lock(&lock);
    *total = (size_t)memory;
    *free = *total - used[current];
    pthread_mutex_unlock(&lock);
    return cudaSuccess;
}

// Page-locked memory of the host; libtorch keeps it, so there are few pieces.
static struct block locked[4096];
static size_t locked_count;

static int is_locked(const void *p) {
    int found = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < locked_count && !found; i++) {
        const char *start = locked[i].address;
        found = (const char *)p >= start && (const char *)p < start + locked[i].size;
    }
    pthread_mutex_unlock(&lock);
    return found;
}
cudaError_t cudaHostAlloc(void **p, size_t size, unsigned flags) {
    (void)flags;
    if (posix_memalign(p, page, size) != 0) return failing(cudaErrorMemoryAllocation);
    pthread_mutex_lock(&lock);
    if (locked_count == sizeof locked / sizeof *locked) abort();
    locked[locked_count++] = (struct block){*p, size};
    pthread_mutex_unlock(&lock);
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void *p) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < locked_count; i++)
        if (locked[i].address == p) locked[i] = locked[--locked_count];
    pthread_mutex_unlock(&lock);
    return free(p), cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *a, const void *p) {
    memset(a, 0, sizeof *a);
    if (on_device(p)) {
        a->type = cudaMemoryTypeDevice;
        a->device = (int)(((char *)p - device_base) / span);
        a->devicePointer = (void *)p;
    } else if (is_locked(p)) {
        a->type = cudaMemoryTypeHost;
        a->devicePointer = a->hostPointer = (void *)p;
    } else {
        a->type = cudaMemoryTypeUnregistered;
    }
    return cudaSuccess;
}

// Whether the last thing of this thread was a copy that waited.
static _Thread_local int has_waited;

static void copy(void *to, const void *from, size_t size) {
    if (on_device(to) && !on_device(from)) COUNT(uploads, 1), COUNT(uploaded, (long)size);
    if (!on_device(to) && on_device(from)) COUNT(downloads, 1), COUNT(downloaded, (long)size);
    if (zeros && on_device(from) && !on_device(to)) memset(to, 0, size);
    else memmove(host_view(to), host_view(from), size);
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    (void)kind, (void)stream;
    if (on_device(to) && !on_device(from) && !is_locked(from)) {
        COUNT(waits, 1);
        has_waited = 1;
    }
    return copy(to, from, size), cudaSuccess;
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    (void)kind;
    COUNT(waits, 1);
    return copy(to, from, size), cudaSuccess;
}
cudaError_t cudaMemcpyPeerAsync(void *to, int a, const void *from, int b, size_t size,
                                cudaStream_t stream) {
    (void)a, (void)b, (void)stream;
    return copy(to, from, size), cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t size, cudaStream_t stream) {
    (void)stream;
    return memset(host_view(p), value, size), cudaSuccess;
}
cudaError_t cudaMemset(void *p, int value, size_t size) {
    return cudaMemsetAsync(p, value, size, NULL);
}
cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *from, size_t size, size_t offset,
                               enum cudaMemcpyKind kind) {
    (void)symbol, (void)from, (void)size, (void)offset, (void)kind;
    return cudaSuccess;
}

// Streams and events: all work is done when it is given.

static cudaError_t handle(void **p) {
    static atomic_long serial = 0x1000;
    return *p = (void *)(serial += 16), cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    return *least = 0, *greatest = -5, cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned f, int p) {
    return (void)f, (void)p, handle((void **)s);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned f) {
    return (void)f, handle((void **)s);
}
cudaError_t cudaStreamDestroy(cudaStream_t s) { return (void)s, cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t s) { return (void)s, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
    (void)s;
    // libtorch follows a copy that waits by this: they are one wait.
    if (!has_waited) COUNT(waits, 1);
    has_waited = 0;
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void) { return COUNT(waits, 1), cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned f) {
    return (void)s, (void)e, (void)f, cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t s, enum cudaStreamCaptureStatus *status) {
    return (void)s, *status = cudaStreamCaptureStatusNone, cudaSuccess;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t s, enum cudaStreamCaptureStatus *status,
                                     unsigned long long *id, cudaGraph_t *graph,
                                     const cudaGraphNode_t **nodes, const cudaGraphEdgeData **edges,
                                     size_t *count) {
    (void)s, (void)id, (void)graph, (void)nodes, (void)edges;
    if (count != NULL) *count = 0;
    return *status = cudaStreamCaptureStatusNone, cudaSuccess;
}
cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
    return (void)mode, cudaSuccess;
}
cudaError_t cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t call, void *data,
                                  unsigned f) {
    (void)f;
    return call(s, cudaSuccess, data), cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned f) {
    return (void)f, handle((void **)e);
}
cudaError_t cudaEventCreate(cudaEvent_t *e) { return handle((void **)e); }
cudaError_t cudaEventDestroy(cudaEvent_t e) { return (void)e, cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t e) { return (void)e, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { return (void)e, (void)s, cudaSuccess; }
cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned f) {
    return (void)e, (void)s, (void)f, cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) { return (void)e, COUNT(waits, 1), cudaSuccess; }
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b) {
    return (void)a, (void)b, *ms = 0, cudaSuccess;
}

// Kernels.

static _Thread_local struct {
    dim3 grid, block;
    size_t shared;
    void *stream;
} configuration;
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *s) {
    configuration.grid = grid, configuration.block = block;
    configuration.shared = shared, configuration.stream = s;
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    *grid = configuration.grid, *block = configuration.block;
    *shared = configuration.shared, *(void **)stream = configuration.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
    return *kernel = (cudaKernel_t)function, cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                               size_t shared, cudaStream_t stream) {
    (void)kernel, (void)arguments, (void)shared, (void)stream;
    const unsigned long long threads = (unsigned long long)block.x * block.y * block.z;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || threads == 0 || threads > 1024 ||
        grid.y > 65535 || grid.z > 65535)
        return failing(cudaErrorInvalidConfiguration);
    has_waited = 0;
    return COUNT(launches, 1), cudaSuccess;
}
cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments,
                             size_t shared, cudaStream_t stream) {
    return __cudaLaunchKernel((cudaKernel_t)function, grid, block, arguments, shared, stream);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *c, const void *function, void **a) {
    return cudaLaunchKernel(function, c->gridDim, c->blockDim, a, c->dynamicSmemBytes, c->stream);
}
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *function) {
    (void)function;
    memset(a, 0, sizeof *a);
    a->maxThreadsPerBlock = 1024;
    a->numRegs = 32;
    a->ptxVersion = a->binaryVersion = 90;
    a->maxDynamicSharedSizeBytes = 232448;
    return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void *f, enum cudaFuncAttribute a, int v) {
    return (void)f, (void)a, (void)v, cudaSuccess;
}
cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t k, enum cudaFuncAttribute a, int v,
                                            int d) {
    return (void)k, (void)a, (void)v, (void)d, cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *count, const void *f,
                                                                   int block, size_t shared,
                                                                   unsigned flags) {
    (void)f, (void)block, (void)shared, (void)flags;
    return *count = 2, cudaSuccess;
}

// The driver, for kernels that libtorch compiles when they are first used.

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    (void)device;
    return *flags = 0, *active = 1, 0;
}
int cuCtxGetCurrent(void **p) { return handle(p); }
int cuDevicePrimaryCtxRetain(void **p) { return handle(p); }
int cuModuleLoadData(void **p) { return handle(p); }
int cuModuleLoadDataEx(void **p) { return handle(p); }
int cuModuleGetFunction(void **p) { return handle(p); }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetAttribute(int *value) { return *value = 0; }
int cuFuncGetAttribute(int *value) { return *value = 0; }
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *count) { return *count = 2, 0; }
int cuGetErrorString(int code, const char **text) { return (void)code, *text = "stand-in", 0; }
int cuLaunchKernel(void) {
    COUNT(launches, 1);
    return 0;
}

// cuBLAS: products do nothing either. Its headers are not included, since the signatures here are
// wrong on purpose: most functions only have to succeed, whatever they are given.

int cublasCreate_v2(void **p) { return handle(p); }
int cublasLtMatmulDescCreate(void **p) { return handle(p); }
int cublasLtMatmulPreferenceCreate(void **p) { return handle(p); }
int cublasLtMatrixLayoutCreate(void **p) { return handle(p); }
int cublasGetPointerMode_v2(void *h, int *mode) { return (void)h, *mode = 0; }
int cublasGetMathMode(void *h, int *mode) { return (void)h, *mode = 0; }
int cublasLtMatmulAlgoGetHeuristic(void *h, void *o, void *a, void *b, void *c, void *d, void *p,
                                   int requested, void *results, int *found) {
    (void)h, (void)o, (void)a, (void)b, (void)c, (void)d, (void)p, (void)results;
    return *found = requested > 0, 0;
}
#define SUCCEEDS(name)                                                                             \
    int name(void) { return 0; }
#define PRODUCT(name)                                                                              \
    int name(void) { return COUNT(products, 1), 0; }
SUCCEEDS(cublasDestroy_v2)
SUCCEEDS(cublasSetStream_v2)
SUCCEEDS(cublasSetWorkspace_v2)
SUCCEEDS(cublasSetMathMode)
SUCCEEDS(cublasSetPointerMode_v2)
SUCCEEDS(cublasSetSmCountTarget)
SUCCEEDS(cublasLtMatmulDescDestroy)
SUCCEEDS(cublasLtMatmulDescSetAttribute)
SUCCEEDS(cublasLtMatmulPreferenceDestroy)
SUCCEEDS(cublasLtMatmulPreferenceSetAttribute)
SUCCEEDS(cublasLtMatrixLayoutDestroy)
SUCCEEDS(cublasLtMatrixLayoutSetAttribute)
PRODUCT(cublasSgemm_v2)
PRODUCT(cublasDgemm_v2)
PRODUCT(cublasGemmEx)
PRODUCT(cublasSgemmEx)
PRODUCT(cublasSgemmStridedBatched)
PRODUCT(cublasDgemmStridedBatched)
PRODUCT(cublasGemmStridedBatchedEx)
PRODUCT(cublasSgemv_v2)
PRODUCT(cublasDgemv_v2)
PRODUCT(cublasSdot_v2)
PRODUCT(cublasDdot_v2)
PRODUCT(cublasDotEx)
PRODUCT(cublasLtMatmul)

// What is left of the driver.
SUCCEEDS(cuCtxSetCurrent)
SUCCEEDS(cuFuncSetAttribute)
SUCCEEDS(cuFuncSetCacheConfig)
SUCCEEDS(cuLaunchCooperativeKernel)
SUCCEEDS(cuLinkAddData_v2)
SUCCEEDS(cuLinkComplete)
SUCCEEDS(cuLinkCreate_v2)
SUCCEEDS(cuModuleLoad)
SUCCEEDS(cuModuleUnload)
SUCCEEDS(cuPointerGetAttribute)
SUCCEEDS(cuTensorMapEncodeTiled)
