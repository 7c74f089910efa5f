// Networks of a few narrow features on short sequences, on one thread. Plain C interface, float32.
//
// Each graph or sequence is processed by itself, on its real nodes or tokens alone, so that all
// that it needs stays in the first-level cache. What the backward pass reads is kept in `saved`.
// Every sum has a fixed order, so that the same input gives the same bits.
#include "gin.h"
#include "transformer_tangent.h"
