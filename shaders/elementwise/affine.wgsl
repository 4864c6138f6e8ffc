// y = scale * x + shift; FILL writes shift and reads nothing.
#include "common/grid.wgsl"

struct Params { size: u32, scale: f32, shift: f32 }
#params Params

#if FILL
@group(0) @binding(0) var<storage, read_write> y: array<Value>;
#else
@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;
#endif

#include "elementwise/walk.wgsl"

fn element(at: u32) {
#if FILL
  y[at] = Value(params.shift);
#else
  y[at] = params.scale * x[at] + Value(params.shift);
#endif
}
