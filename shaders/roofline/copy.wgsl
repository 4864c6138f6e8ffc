// Memory bandwidth: copies a buffer.

struct Params { size: u32 }
#params Params

var<storage, read> x: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"

fn element(at: u32) {
  y[at] = x[at];
}
