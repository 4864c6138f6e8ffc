// What happens to a finished sum before it is stored: accumulation (ACCUMULATE), BIAS, one activation, RESIDUAL.
// Declares y, and bias and residual where there are any.
#define ACCUMULATE // add beta times what y holds
#define BIAS       // add a bias per column
#define ACTIVATION "none" | "gelu" | "gelu-tanh" | "quick-gelu" | "silu" | "relu" // applied after the bias
#define RESIDUAL   // add a matrix of the shape of y, last
#include "matmul/problem.wgsl"
#include "common/activation.wgsl"

var<storage, read_write> y: array<f32>;
#if BIAS
var<storage, read> bias: array<f32>;
#endif
#if RESIDUAL
var<storage, read> residual: array<f32>;
#endif

fn activate(x: f32) -> f32 {
#if ACTIVATION == "gelu"
  return gelu(x);
#elif ACTIVATION == "gelu-tanh"
  return geluTanh(x);
#elif ACTIVATION == "quick-gelu"
  return quickGelu(x);
#elif ACTIVATION == "silu"
  return silu(x);
#elif ACTIVATION == "relu"
  return select(x, 0.0, x < 0.0);
#else
  return x;
#endif
}

// Bias, activation and residual for element `at` of y in column n.
fn finish(value: f32, at: u32, n: u32) -> f32 {
  var v = value;
#if BIAS
  v += bias[params.column + n];
#endif
  v = activate(v);
#if RESIDUAL
  v += residual[at];
#endif
  return v;
}

// Stores element `at` of y, in column n, given the raw sum over K.
fn emit(sum: f32, at: u32, n: u32) {
  var v = params.scale * sum;
#if ACCUMULATE
  v += params.beta * y[at];
#endif
  y[at] = finish(v, at, n);
}
