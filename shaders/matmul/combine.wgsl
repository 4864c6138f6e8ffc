// Second pass of split-K: adds up the K partial products of `parts` (each M x N, dense), always in the same order, and
// applies the epilogue. One invocation per element of y.
#include "matmul/epilogue.wgsl"

var<storage, read> parts: array<f32>;

#include "common/elements.wgsl"

fn element(at: u32) {
  let size = params.M * params.N;
  if (at >= size) { return; }
  var sum = 0.0;
  for (var part = 0u; part < params.K; part++) { sum += parts[part * size + at]; }
  let n = at % params.N;
  emit(sum, indexC(0u, at / params.N, n), n);
}
