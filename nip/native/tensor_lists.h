// Addresses and sizes of the tensors in a Python list, by the C interface of DLPack.
#pragma once
#include <cstdint>

namespace {

// Of dlpack.h, major version 1: a tensor, and the functions that a library of tensors offers.
struct DlTensor {
    void* data;
    int32_t device_type, device_id, num_dims;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
};
struct DlExchange {
    uint32_t major, minor;
    void *earlier, *allocate, *from_object, *to_object;
    int (*describe)(void* object, DlTensor* tensor);
};
constexpr int32_t DL_CPU = 1;
constexpr uint8_t DL_FLOAT = 2;

// The number of entries if they are of float32 and without gaps in main memory, else -1.
int64_t entries_of_floats(const DlTensor& tensor) {
    if (tensor.device_type != DL_CPU || tensor.type_code != DL_FLOAT || tensor.type_bits != 32)
        return -1;
    int64_t size = 1;
    bool has_gaps = false;
    for (int32_t i = tensor.num_dims - 1; i >= 0; --i) {
        has_gaps |= tensor.shape[i] != 1 && tensor.strides[i] != size;
        size *= tensor.shape[i];
    }
    return size == 0 || (!has_gaps && tensor.data) ? size : -1;
}

}  // namespace

extern "C" {

// Read a list of `count` tensors; `item_of` is PyList_GetItem. The number of entries of all, or -1
// if some are not of float32 and without gaps in main memory.
int64_t nip_read_tensors(const void* exchange, void* (*item_of)(void*, intptr_t), void* list,
                         int64_t count, void** addresses, int64_t* sizes) {
    const DlExchange& library = *static_cast<const DlExchange*>(exchange);
    int64_t total = 0;
    if (library.major != 1) return -1;
    for (int64_t i = 0; i < count; ++i) {
        DlTensor tensor;
        if (library.describe(item_of(list, i), &tensor) != 0) return -1;
        sizes[i] = entries_of_floats(tensor);
        if (sizes[i] < 0) return -1;
        addresses[i] = static_cast<char*>(tensor.data) + tensor.byte_offset;
        total += sizes[i];
    }
    return total;
}

}  // extern "C"
