// Activation functions, shared by the activation kernels and the epilogues of matrix products. NaN goes through all of
// them, so no max, min or clamp here: WGSL lets those drop it. No intermediate overflows into NaN.

// sigmoid(-x) is 1 - sigmoid(x) without cancellation.
fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn silu(x: f32) -> f32 {
  return x * sigmoid(x);
}

// The normal distribution function, by the Chebyshev fit of erfc in Numerical Recipes (fractional error 1.2e-7); the
// tail is computed as itself, not as a difference from one.
fn normalCdf(x: f32) -> f32 {
  let z = abs(x) * 0.70710678118654752;
  let t = 1.0 / (1.0 + 0.5 * z);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  let tail = 0.5 * t * exp(p - z * z);
  return select(1.0 - tail, tail, x < 0.0);
}

fn gelu(x: f32) -> f32 {
  return x * normalCdf(x);
}

// x * (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3) equals x * sigmoid(2u).
const GELU_TANH_SCALE: f32 = 1.5957691216057308;

fn geluTanh(x: f32) -> f32 {
  return x * sigmoid(GELU_TANH_SCALE * x * (1.0 + 0.044715 * x * x));
}

fn quickGelu(x: f32) -> f32 {
  return x * sigmoid(1.702 * x);
}
