// The unary functions: `activate`, and `slope`, the derivative in terms of what src/kernels/activation.ts saves for the
// function (its argument x or its result y). One define names the function. NaN goes through all of them. activateAll
// and slopeAll work on a Value of elementwise/walk.wgsl.
#define FUNCTION "silu" | "gelu" | "geluTanh" | "quickGelu" | "relu" | "sigmoid" | "tanh" | "exp" | "log" | "sqrt" | "square" | "reciprocal" | "abs" // which one
#define VEC4 // a Value is a vec4f
#include "common/activation.wgsl"
#include "common/precise.wgsl"

// WGSL's tanh may be as inaccurate as its sinh / cosh. Near zero the polynomial of Cephes; beyond 10 it is one.
fn preciseTanh(x: f32) -> f32 {
  let z = x * x;
  let p = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
    - 3.33332819422e-1;
  let far = 1.0 - 2.0 / (exp(2.0 * abs(x)) + 1.0);
  let magnitude = select(far, 1.0, abs(x) > 10.0);
  return select(sign(x) * magnitude, x + x * z * p, abs(x) < 0.625);
}

fn activate(x: f32) -> f32 {
#if FUNCTION == "silu"
  return silu(x);
#elif FUNCTION == "gelu"
  return gelu(x);
#elif FUNCTION == "geluTanh"
  return geluTanh(x);
#elif FUNCTION == "quickGelu"
  return quickGelu(x);
#elif FUNCTION == "relu"
  return select(x, 0.0, x < 0.0);
#elif FUNCTION == "sigmoid"
  return sigmoid(x);
#elif FUNCTION == "tanh"
  return orNan(preciseTanh(x), x);
#elif FUNCTION == "exp"
  return orNan(exp(x), x);
#elif FUNCTION == "log"
  return orNan(preciseLog(x), x);
#elif FUNCTION == "sqrt"
  return sqrt(x);
#elif FUNCTION == "square"
  return x * x;
#elif FUNCTION == "reciprocal"
  return 1.0 / x;
#elif FUNCTION == "abs"
  return abs(x);
#endif
}

fn slope(v: f32) -> f32 {
#if FUNCTION == "silu"
  return sigmoid(v) * (1.0 + v * sigmoid(-v));
#elif FUNCTION == "gelu"
  return normalCdf(v) + v * 0.3989422804014327 * exp(-0.5 * v * v);
#elif FUNCTION == "geluTanh"
  let u = GELU_TANH_SCALE * v * (1.0 + 0.044715 * v * v);
  return sigmoid(u) * (1.0 + v * sigmoid(-u) * GELU_TANH_SCALE * (1.0 + 0.134145 * v * v));
#elif FUNCTION == "quickGelu"
  return sigmoid(1.702 * v) * (1.0 + 1.702 * v * sigmoid(-1.702 * v));
#elif FUNCTION == "relu"
  return select(0.0, 1.0, v > 0.0);
#elif FUNCTION == "sigmoid"
  return v * (1.0 - v);
#elif FUNCTION == "tanh"
  return 1.0 - v * v;
#elif FUNCTION == "exp"
  return v;
#elif FUNCTION == "log"
  return 1.0 / v;
#elif FUNCTION == "sqrt"
  return 0.5 / v;
#elif FUNCTION == "square"
  return 2.0 * v;
#elif FUNCTION == "reciprocal"
  return -v * v;
#elif FUNCTION == "abs"
  return sign(v);
#endif
}

#if VEC4
fn activateAll(x: vec4f) -> vec4f { return vec4f(activate(x.x), activate(x.y), activate(x.z), activate(x.w)); }
fn slopeAll(v: vec4f) -> vec4f { return vec4f(slope(v.x), slope(v.y), slope(v.z), slope(v.w)); }
#else
fn activateAll(x: f32) -> f32 { return activate(x); }
fn slopeAll(v: f32) -> f32 { return slope(v); }
#endif
