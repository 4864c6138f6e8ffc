// y = a OP b for equally shaped f32 tensors. OP is chosen by one of the defines ADD, SUB, MUL, DIV.
#include "common/grid.wgsl"

struct Params { size: u32 }
#params Params

@group(0) @binding(0) var<storage, read> a: array<Value>;
@group(0) @binding(1) var<storage, read> b: array<Value>;
@group(0) @binding(2) var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "elementwise/operator.wgsl"

fn element(at: u32) {
  y[at] = apply(a[at], b[at]);
}
