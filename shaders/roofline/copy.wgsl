// Memory bandwidth: copies a buffer.
#include "common/grid.wgsl"

struct Params { size: u32 }
#params Params

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"

fn element(at: u32) {
  y[at] = x[at];
}
