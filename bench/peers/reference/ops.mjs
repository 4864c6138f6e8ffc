// Plain float64 operations, forward and backward. Slow and simple: they only make reference numbers.

/** c[m,n] = a[m,k] b[k,n] */
export function matmul(a, b, m, k, n) {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const s = a[i * k + p];
      for (let j = 0; j < n; j++) c[i * n + j] += s * b[p * n + j];
    }
  }
  return c;
}

/** The transpose of a[m,n]. */
export function transpose(a, m, n) {
  const t = new Float64Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) t[j * m + i] = a[i * n + j];
  return t;
}

/** a += b, in place. */
export function accumulate(a, b) {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return a;
}

/** y = x w + b. */
export function linear(x, w, b, m, k, n) {
  const y = matmul(x, w, m, k, n);
  if (b) for (let i = 0; i < m * n; i++) y[i] += b[i % n];
  return y;
}

/** Gradients of `linear`. */
export function linearBackward(dy, x, w, m, k, n) {
  const db = new Float64Array(n);
  for (let i = 0; i < m * n; i++) db[i % n] += dy[i];
  return { dx: matmul(dy, transpose(w, k, n), m, n, k), dw: matmul(transpose(x, m, k), dy, k, m, n), db };
}

/** Softmax of each row of x[m,n]. */
export function softmax(x, m, n) {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    let max = -Infinity;
    for (let j = 0; j < n; j++) max = Math.max(max, x[i * n + j]);
    let sum = 0;
    for (let j = 0; j < n; j++) sum += y[i * n + j] = Math.exp(x[i * n + j] - max);
    for (let j = 0; j < n; j++) y[i * n + j] /= sum;
  }
  return y;
}

/** Layer norm of each row of x[m,n]; `normal` and `scale` (1 / deviation) are what the backward needs. */
export function layerNorm(x, gain, bias, m, n, eps) {
  const y = new Float64Array(m * n);
  const normal = new Float64Array(m * n);
  const scale = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    let mean = 0;
    for (let j = 0; j < n; j++) mean += x[i * n + j] / n;
    let variance = 0;
    for (let j = 0; j < n; j++) variance += (x[i * n + j] - mean) ** 2 / n;
    scale[i] = 1 / Math.sqrt(variance + eps);
    for (let j = 0; j < n; j++) {
      normal[i * n + j] = (x[i * n + j] - mean) * scale[i];
      y[i * n + j] = normal[i * n + j] * gain[j] + bias[j];
    }
  }
  return { y, normal, scale };
}

/** Gradients of `layerNorm`. */
export function layerNormBackward(dy, { normal, scale }, gain, m, n) {
  const dx = new Float64Array(m * n);
  const dg = new Float64Array(n);
  const db = new Float64Array(n);
  for (let i = 0; i < m; i++) {
    let mean = 0;
    let correlation = 0;
    for (let j = 0; j < n; j++) {
      const d = dy[i * n + j];
      dg[j] += d * normal[i * n + j];
      db[j] += d;
      mean += (d * gain[j]) / n;
      correlation += (d * gain[j] * normal[i * n + j]) / n;
    }
    for (let j = 0; j < n; j++) {
      dx[i * n + j] = scale[i] * (dy[i * n + j] * gain[j] - mean - normal[i * n + j] * correlation);
    }
  }
  return { dx, dg, db };
}

const GELU = Math.sqrt(2 / Math.PI);

/** Tanh-approximated GELU. */
export function gelu(x) {
  return Float64Array.from(x, (u) => 0.5 * u * (1 + Math.tanh(GELU * (u + 0.044715 * u ** 3))));
}

/** Gradient of `gelu`. */
export function geluBackward(dy, x) {
  return Float64Array.from(x, (u, i) => {
    const t = Math.tanh(GELU * (u + 0.044715 * u ** 3));
    return dy[i] * (0.5 * (1 + t) + 0.5 * u * (1 - t * t) * GELU * (1 + 3 * 0.044715 * u * u));
  });
}

/** Causal attention of one head, q, k, v [t,d]. */
export function attention(q, k, v, t, d) {
  const scores = matmul(q, transpose(k, t, d), t, d, t);
  for (let i = 0; i < t; i++) {
    for (let j = 0; j < t; j++) scores[i * t + j] = j > i ? -Infinity : scores[i * t + j] / Math.sqrt(d);
  }
  const weights = softmax(scores, t, t);
  return { y: matmul(weights, v, t, t, d), weights };
}

/** Gradients of `attention`. */
export function attentionBackward(dy, weights, q, k, v, t, d) {
  const dv = matmul(transpose(weights, t, t), dy, t, t, d);
  const dw = matmul(dy, transpose(v, t, d), t, d, t);
  const ds = new Float64Array(t * t);
  for (let i = 0; i < t; i++) {
    let dot = 0;
    for (let j = 0; j <= i; j++) dot += dw[i * t + j] * weights[i * t + j];
    for (let j = 0; j <= i; j++) ds[i * t + j] = (weights[i * t + j] * (dw[i * t + j] - dot)) / Math.sqrt(d);
  }
  return { dq: matmul(ds, k, t, t, d), dk: matmul(transpose(ds, t, t), q, t, t, d), dv };
}
