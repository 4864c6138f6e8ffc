// y = a OP b where b is repeated: b has `period` Values and y a whole number of periods (a bias on every row, positions
// on every sequence). SWAP: the repeated operand is the left one. `first` is where this window of y begins.
#define SWAP // the repeated operand is the left one

struct Params { size: u32, first: u32, period: u32 }
#params Params

var<storage, read> a: array<Value>;
var<storage, read> b: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "elementwise/operator.wgsl"

fn element(at: u32) {
#if SWAP
  y[at] = apply(b[(params.first + at) % params.period], a[at]);
#else
  y[at] = apply(a[at], b[(params.first + at) % params.period]);
#endif
}
