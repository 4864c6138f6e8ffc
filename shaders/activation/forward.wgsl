// y = activate(x) elementwise; the function is a define (activation/functions.wgsl).

struct Params { size: u32 }
#params Params

var<storage, read> x: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "activation/functions.wgsl"

fn element(at: u32) {
  y[at] = activateAll(x[at]);
}
