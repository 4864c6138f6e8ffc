// y = beta * y + alpha * x in place: gradient accumulation.
#include "common/grid.wgsl"

struct Params { size: u32, alpha: f32, beta: f32 }
#params Params

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"

fn element(at: u32) {
  y[at] = params.beta * y[at] + params.alpha * x[at];
}
