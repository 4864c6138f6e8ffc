// y = beta * y + alpha * x in place: gradient accumulation.

struct Params { size: u32, alpha: f32, beta: f32 }
#params Params

var<storage, read> x: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"

fn element(at: u32) {
  y[at] = params.beta * y[at] + params.alpha * x[at];
}
