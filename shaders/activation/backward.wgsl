// dx = g * slope(saved) elementwise, where `saved` is the argument or the result of the function that a define names
// (activation/functions.wgsl).

struct Params { size: u32 }
#params Params

var<storage, read> saved: array<Value>;
var<storage, read> g: array<Value>;
var<storage, read_write> dx: array<Value>;

#include "elementwise/walk.wgsl"
#include "activation/functions.wgsl"

fn element(at: u32) {
  dx[at] = g[at] * slopeAll(saved[at]);
}
