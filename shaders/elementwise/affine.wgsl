// y = scale * x + shift; FILL writes shift and reads nothing.
#define FILL // write shift, read nothing

struct Params { size: u32, scale: f32, shift: f32 }
#params Params

#if FILL
var<storage, read_write> y: array<Value>;
#else
var<storage, read> x: array<Value>;
var<storage, read_write> y: array<Value>;
#endif

#include "elementwise/walk.wgsl"

fn element(at: u32) {
#if FILL
  y[at] = Value(params.shift);
#else
  y[at] = params.scale * x[at] + Value(params.shift);
#endif
}
