// Second half of the global gradient norm: adds the partial sums of squares in one workgroup, in a fixed order, and
// writes what the optimizer needs, so that nothing has to be read back:
//   control[0]  the norm of the gradients times gradScale
//   control[1]  the factor to put on every gradient: gradScale, times PyTorch's clip factor min(1, maxNorm / (norm + 1e-6))
//   control[2]  1 if some gradient, or the norm, is not finite: the update must be skipped; else 0
// maxNorm 0 means no clipping.
struct Params { count: u32, gradScale: f32, maxNorm: f32 }
#params Params

var<storage, read> partials: array<u32>;
var<storage, read_write> control: array<f32>;

override WORKGROUP: u32 = 256;

var<workgroup> sums: array<f32, WORKGROUP>;
var<workgroup> flags: array<u32, WORKGROUP>;

const EXPONENT: u32 = 0x7f800000u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  var bad = 0u;
  var at = lane;
  while (at + 7u * WORKGROUP < params.count) {
    #for k in 0..8
    let x${k} = partials[at + ${k}u * WORKGROUP];
    bad |= select(0u, 1u, (x${k} & EXPONENT) == EXPONENT);
    #endfor
    let low = (bitcast<f32>(x0) + bitcast<f32>(x1)) + (bitcast<f32>(x2) + bitcast<f32>(x3));
    let high = (bitcast<f32>(x4) + bitcast<f32>(x5)) + (bitcast<f32>(x6) + bitcast<f32>(x7));
    sum += low + high;
    at += 8u * WORKGROUP;
  }
  while (at < params.count) {
    let x = partials[at];
    bad |= select(0u, 1u, (x & EXPONENT) == EXPONENT);
    sum += bitcast<f32>(x);
    at += WORKGROUP;
  }
  sums[lane] = sum;
  flags[lane] = bad;
  for (var stride = WORKGROUP / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      sums[lane] += sums[lane + stride];
      flags[lane] |= flags[lane + stride];
    }
  }
  if (lane != 0u) { return; }
  let norm = sqrt(sums[0]) * abs(params.gradScale);
  let skip = flags[0] != 0u || (bitcast<u32>(norm) & EXPONENT) == EXPONENT;
  var scale = params.gradScale;
  if (params.maxNorm > 0.0) { scale *= min(1.0, params.maxNorm / (norm + 1e-6)); }
  control[0] = norm;
  control[1] = select(scale, 0.0, skip);
  control[2] = select(0.0, 1.0, skip);
}
