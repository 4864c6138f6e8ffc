// y = activate(x) elementwise; the function is a define (activation/functions.wgsl).
#include "common/grid.wgsl"

struct Params { size: u32 }
#params Params

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "activation/functions.wgsl"

fn element(at: u32) {
  y[at] = activateAll(x[at]);
}
