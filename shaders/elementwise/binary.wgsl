// y = a OP b for equally shaped f32 tensors. OP is chosen by one of the defines ADD, SUB, MUL, DIV.

struct Params { size: u32 }
#params Params

var<storage, read> a: array<Value>;
var<storage, read> b: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "elementwise/operator.wgsl"

fn element(at: u32) {
  y[at] = apply(a[at], b[at]);
}
