// SwiGLU and its like: y = f(gate) * up, and with BACKWARD its gradients
//   dgate = g * up * f'(gate),  dup = g * f(gate).
// gate and up are two tensors of the same shape, or with JOINT the halves of each row of one tensor [rows, 2 * width]
// (the result of one matmul with both weights); the gradients are laid out likewise. FUNCTION is f.
#define BACKWARD // the gradients in place of y
#define JOINT    // gate and up are halves of one tensor

// `size` counts the Values of y, `width` those of a row.
struct Params { size: u32, width: u32 }
#params Params

var<storage, read> gate: array<Value>;
#if !JOINT
var<storage, read> up: array<Value>;
#endif
#if BACKWARD
var<storage, read> g: array<Value>;
var<storage, read_write> dgate: array<Value>;
#if !JOINT
var<storage, read_write> dup: array<Value>;
#endif
#else
var<storage, read_write> y: array<Value>;
#endif

#include "elementwise/walk-rows.wgsl"
#include "activation/functions.wgsl"

fn element(row: u32, column: u32) {
  let at = row * params.width + column;
#if JOINT
  let gateAt = at + row * params.width;
  let upAt = gateAt + params.width;
  let a = gate[gateAt];
  let b = gate[upAt];
#else
  let a = gate[at];
  let b = up[at];
#endif
#if BACKWARD
#if JOINT
  dgate[gateAt] = g[at] * b * slopeAll(a);
  dgate[upAt] = g[at] * activateAll(a);
#else
  dgate[at] = g[at] * b * slopeAll(a);
  dup[at] = g[at] * activateAll(a);
#endif
#else
  y[at] = activateAll(a) * b;
#endif
}
