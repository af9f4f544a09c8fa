// Errors, the live counter, versions.
#include "support.hpp"

#include <c10/util/Exception.h>
#include <torch/version.h>

#include <new>
#include <stdexcept>
#include <string>

namespace ctorch {

std::atomic<int64_t> liveCount{0};
constinit thread_local int64_t threadBalance = 0;

namespace {
thread_local std::string message;
thread_local std::string details;

int record(int code, std::string text, std::string whole) {
    message = std::move(text);
    details = std::move(whole);
    return code;
}
}  // namespace

int recordCurrentException() noexcept {
    try {
        try {
            throw;
        } catch (const c10::OutOfMemoryError &error) {
            return record(CT_ERROR_OUT_OF_MEMORY, error.what_without_backtrace(), error.what());
        } catch (const c10::Error &error) {
            // libtorch's CPU allocator and the libraries of CUDA report exhaustion as plain errors.
            std::string text = error.what_without_backtrace();
            bool exhausted = false;
            for (const char *words : {"not enough memory", "can't allocate memory",
                                      "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
                                      "CUDNN_STATUS_ALLOC_FAILED"})
                exhausted = exhausted || text.find(words) != std::string::npos;
            return record(exhausted ? CT_ERROR_OUT_OF_MEMORY : CT_ERROR_TORCH, text, error.what());
        } catch (const std::bad_alloc &error) {
            return record(CT_ERROR_OUT_OF_MEMORY, "out of memory", error.what());
        } catch (const std::exception &error) {
            std::string text = error.what();
            return record(CT_ERROR_STANDARD, text.substr(0, text.find("\nException raised from")),
                          text);
        } catch (...) {
            return record(CT_ERROR_UNKNOWN, "an exception of an unknown kind was thrown", "");
        }
    } catch (...) {
        return CT_ERROR_OUT_OF_MEMORY;  // not even the message could be stored
    }
}

}  // namespace ctorch

using namespace ctorch;

const char *ct_error_message(void) { return message.c_str(); }

const char *ct_error_details(void) { return details.c_str(); }

int64_t ct_tensor_live_count(void) { return liveCount.load(std::memory_order_relaxed); }

int64_t ct_tensor_thread_balance(void) { return threadBalance; }

int ct_error_provoke(int kind) {
    return guarded([&] {
        switch (kind) {
            case CT_ERROR_TORCH: TORCH_CHECK(false, "provoked"); break;
            case CT_ERROR_OUT_OF_MEMORY: TORCH_CHECK_WITH(OutOfMemoryError, false, "provoked"); break;
            case CT_ERROR_STANDARD: throw std::invalid_argument("provoked");
            case CT_ERROR_UNKNOWN: throw 42;
            case 5: throw std::bad_alloc();
            default: break;
        }
    });
}

const char *ct_version(void) { return TORCH_VERSION; }
