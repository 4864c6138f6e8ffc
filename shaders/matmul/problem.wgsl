// One matrix product, shared by all variants:
//     y[z] = activate(scale * A[z] B[z] + beta * y[z] + bias) + residual[z]
// A is M x K (K x M with TRANSPOSE_A), B is K x N (N x K with TRANSPOSE_B), y and residual are M x N, all row-major with
// row lengths lda, ldb, ldc and strideX elements between the matrices of a batch. baseX is the first element within the
// binding, which starts where the adapter allows it. `column` is the bias index of the first column.
//
// With SPLIT the batch is one product whose K is cut into slabs of `K`, the last one ending at `kEnd`: slab z starts
// strideA and strideB further on and its sum goes to its own matrix of y, which matmul/combine.wgsl adds up.
#define TRANSPOSE_A // A is K x M
#define TRANSPOSE_B // B is N x K
#define SPLIT       // the batch is slabs of one product

struct Params {
  M: u32, N: u32, K: u32,
  lda: u32, ldb: u32, ldc: u32,
  strideA: u32, strideB: u32, strideC: u32,
  baseA: u32, baseB: u32, baseC: u32,
  column: u32, kEnd: u32,
  scale: f32, beta: f32,
}
#params Params

// How far this product runs along K.
fn depth(z: u32) -> u32 {
#if SPLIT
  return min(params.K, params.kEnd - z * params.K);
#else
  return params.K;
#endif
}

fn indexA(z: u32, m: u32, k: u32) -> u32 {
#if TRANSPOSE_A
  return params.baseA + z * params.strideA + k * params.lda + m;
#else
  return params.baseA + z * params.strideA + m * params.lda + k;
#endif
}

fn indexB(z: u32, k: u32, n: u32) -> u32 {
#if TRANSPOSE_B
  return params.baseB + z * params.strideB + n * params.ldb + k;
#else
  return params.baseB + z * params.strideB + k * params.ldb + n;
#endif
}

fn indexC(z: u32, m: u32, n: u32) -> u32 {
  return params.baseC + z * params.strideC + m * params.ldc + n;
}
