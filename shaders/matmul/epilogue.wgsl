// What happens to a finished sum before it is stored: accumulation (ACCUMULATE), BIAS, one activation, RESIDUAL.
// Declares y and the optional bindings behind the OPERANDS read-only ones.
#include "matmul/problem.wgsl"
#include "common/activation.wgsl"

@group(0) @binding(${OPERANDS}) var<storage, read_write> y: array<f32>;
#if BIAS
@group(0) @binding(${OPERANDS + 1}) var<storage, read> bias: array<f32>;
#endif
#if RESIDUAL
@group(0) @binding(${OPERANDS + 1 + BIAS}) var<storage, read> residual: array<f32>;
#endif

fn activate(x: f32) -> f32 {
#if GELU
  return gelu(x);
#elif GELU_TANH
  return geluTanh(x);
#elif QUICK_GELU
  return quickGelu(x);
#elif SILU
  return silu(x);
#elif RELU
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
