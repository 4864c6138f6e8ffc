// Activation functions. NaN propagates and no intermediate overflows into NaN: tanh is written with a sigmoid because
// some drivers compute it as a quotient of exponentials.
fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}

fn silu(x: f32) -> f32 {
  return x * sigmoid(x);
}

// The rational approximation that Eigen and XLA use; error below 4e-7. erf is 1 to f32 beyond |x| = 4.
fn erf(x: f32) -> f32 {
  let t = clamp(x, -4.0, 4.0);
  let s = t * t;
  var p = -2.72614225801306e-10;
  p = fma(p, s, 2.77068142495902e-08);
  p = fma(p, s, -2.10102402082508e-06);
  p = fma(p, s, -5.69250639462346e-05);
  p = fma(p, s, -7.34990630326855e-04);
  p = fma(p, s, -2.95459980854025e-03);
  p = fma(p, s, -1.60960333262415e-02);
  var q = -1.45660718464996e-05;
  q = fma(q, s, -2.13374055278905e-04);
  q = fma(q, s, -1.68282697438203e-03);
  q = fma(q, s, -7.37332916720468e-03);
  q = fma(q, s, -1.42647390514189e-02);
  return t * p / q;
}

fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
}

// x * (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3) equals x * sigmoid(2u).
fn geluTanh(x: f32) -> f32 {
  return x * sigmoid(1.5957691216057308 * x * (1.0 + 0.044715 * x * x));
}

fn quickGelu(x: f32) -> f32 {
  return x * sigmoid(1.702 * x);
}
