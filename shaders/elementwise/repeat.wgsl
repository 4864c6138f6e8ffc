// y = a OP b where b is repeated: b has `period` Values and y a whole number of periods (a bias on every row, positions
// on every sequence). SWAP: the repeated operand is the left one. `first` is where this window of y begins.
#include "common/grid.wgsl"

struct Params { size: u32, first: u32, period: u32 }
#params Params

@group(0) @binding(0) var<storage, read> a: array<Value>;
@group(0) @binding(1) var<storage, read> b: array<Value>;
@group(0) @binding(2) var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "elementwise/operator.wgsl"

fn element(at: u32) {
#if SWAP
  y[at] = apply(b[(params.first + at) % params.period], a[at]);
#else
  y[at] = apply(a[at], b[(params.first + at) % params.period]);
#endif
}
