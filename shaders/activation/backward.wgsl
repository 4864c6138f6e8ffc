// dx = g * slope(saved) elementwise, where `saved` is the argument or the result of the function that a define names
// (activation/functions.wgsl).
#include "common/grid.wgsl"

struct Params { size: u32 }
#params Params

@group(0) @binding(0) var<storage, read> saved: array<Value>;
@group(0) @binding(1) var<storage, read> g: array<Value>;
@group(0) @binding(2) var<storage, read_write> dx: array<Value>;

#include "elementwise/walk.wgsl"
#include "activation/functions.wgsl"

fn element(at: u32) {
  dx[at] = g[at] * slopeAll(saved[at]);
}
