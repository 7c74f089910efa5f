// Networks of a few narrow features on short sequences, and updates of their parameters, on one
// thread. Plain C interface, float32.
//
// Graphs are processed one by one, sequences a few at a time, on real nodes or tokens alone, so that
// all that a layer needs stays in a cache. What the backward pass reads is kept in `saved`: memory
// costs as much time as arithmetic, so what is cheap is computed again.
// Every sum has a fixed order, so that the same input gives the same bits.
#include "action_statistics.h"
#include "adam.h"
#include "gin.h"
#include "perceptron.h"
#include "pooling.h"
#include "tensor_lists.h"
#include "transformer_tangent.h"

extern "C" {

// Numbers of a vector: rows are filled up to a multiple of them.
int nip_num_lanes() { return LANES; }

}  // extern "C"
