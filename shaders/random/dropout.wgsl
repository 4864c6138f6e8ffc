// y = x / (1 - p) where a uniform number is at least p, else 0. The gradient is the same kernel on the gradient: the
// mask is computed again from its address instead of being stored. `scale` is 1 / (1 - p).

struct Params { size: u32, first: u32, key0: u32, key1: u32, stream: u32, step: u32, p: f32, scale: f32 }
#params Params

var<storage, read> x: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "random/quad.wgsl"

fn element(at: u32) {
#if VEC4
  let u = unitFloats(quadWords(params.first / 4u + at));
  y[at] = select(vec4f(0.0), x[at] * params.scale, u >= vec4f(params.p));
#else
  let i = params.first + at;
  let u = unitFloat(quadWords(i / 4u)[i % 4u]);
  y[at] = select(0.0, x[at] * params.scale, u >= params.p);
#endif
}
