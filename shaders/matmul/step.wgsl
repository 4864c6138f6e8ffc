// A product of a decode step with what stands before and after it in a layer, in one launch. For each of a few rows of x
//   y = act(r * (sum over K of x * gain * w + scale * narrow up^T) + bias) + residual,   r = 1 / sqrt(mean(x^2) + eps)
// where w [N, K] is a matrix of weights as it is stored. GAIN is the weight of an RMSNorm, RSTD its division by the root mean
// square, which takes no pass of its own, as x is read anyway. PARTS adds an adapter: `narrow` [M, PARTS * rank] is the
// same x times its A, without r. Each of the PARTS stretches of columns, which end before `end0` and `end1`, has its own.
// With GATED w holds two matrices, gate's N rows first, and y = f(gate) * up, where f is SiLU or GELU.
//
// It is bound by reading w. A team, which is a subgroup or the workgroup, has its lanes along K, WIDTH elements each, and
// computes COLUMNS sums for ROWS rows of x: so often is what it reads of x and of w used. Teams of neighbouring blocks of rows
// run side by side, so that only the first of them waits for w. Sums are added in an order that the sizes of teams and of
// workgroups decide.
// Software drivers load lane by lane wherever lanes lie, and once for all lanes what these have in common: there a team is an
// invocation, whose workgroup reads the same of x, and nothing needs to be added up.
// Guards are joined by &: && branches, and SwiftShader takes minutes to compile many such branches in a row.
#define ROWS 1..8      // rows of x per team, of which some may lie past the end
#define COLUMNS 1..8   // rows of w per team; with GATED half of them are gate's
#define TEAM "invocation" | "subgroup" | "workgroup" // who computes together
#define GAIN           // x is multiplied with the weight of a norm
#define AROUND_ONE     // or with one and that weight
#define RSTD           // rows are divided by their root mean square
#define GATED          // w is gate and up
#define GELU           // with GATED the tanh approximation of GELU is applied to the gate, not SiLU
#define PARTS 0..3     // parts of the adapter; 0 where there is none
#define BIAS           // add a bias per row of w
#define RESIDUAL       // add a matrix of the shape of y
#if TEAM == "subgroup"
enable subgroups;
diagnostic(off, subgroup_uniformity);
#endif
#include "common/weight.wgsl"
#include "common/activation.wgsl"
#include "common/grid.wgsl"

struct Params {
  M: u32, N: u32, K: u32, blocks: u32,
  rank: u32, end0: u32, end1: u32,
  scale: f32, eps: f32,
}
#params Params

override WORKGROUP: u32 = 128;
#if TEAM == "workgroup"
#include "common/reduce.wgsl"
#endif

var<storage, read> x: array<vec4f>;
var<storage, read> w: array<Stored>;
var<storage, read_write> y: array<f32>;
#if GAIN
var<storage, read> gain: array<vec4f>;
#endif
#if PARTS
var<storage, read> narrow: array<vec4f>;
var<storage, read> up: array<vec4f>;
#endif
#if BIAS
var<storage, read> bias: array<f32>;
#endif
#if RESIDUAL
var<storage, read> residual: array<f32>;
#endif

const FOURS = ${WIDTH / 4}u;
#if GATED
const OUTPUTS = ${COLUMNS / 2}u;
#else
const OUTPUTS = ${COLUMNS}u;
#endif

fn teamSum2(value: vec2f, lane: u32) -> vec2f {
#if TEAM == "invocation"
  return value;
#elif TEAM == "subgroup"
  return subgroupAdd(value);
#else
  return workgroupSum2(value, lane);
#endif
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
#if TEAM == "subgroup"
  @builtin(subgroup_invocation_id) lane: u32,
#endif
) {
  prepareDecoder(thread);
#if TEAM == "invocation"
  let lane = 0u;
  let lanes = 1u;
  let block = linearWorkgroup(group, groups);
  let first = block % params.blocks * ${ROWS}u;
  let n = (block / params.blocks * WORKGROUP + thread) * OUTPUTS;
#elif TEAM == "subgroup"
  // Counted, not asked for: drivers that choose the size per shader (Intel) may report a larger one than they run.
  let lanes = subgroupAdd(1u);
  let team = linearWorkgroup(group, groups) * (WORKGROUP / lanes) + thread / lanes;
#else
  let lane = thread;
  let lanes = WORKGROUP;
  let team = linearWorkgroup(group, groups);
#endif
#if TEAM != "invocation"
  let first = team % params.blocks * ${ROWS}u;
  let n = team / params.blocks * OUTPUTS;
  if (n >= params.N) { return; }
#endif
  let units = params.K / ${WIDTH}u;
#for m in 0..ROWS
  let row${m} = min(first + ${m}u, params.M - 1u);
  let at${m} = row${m} * units * FOURS;
#if RSTD
  var squares${m} = 0.0;
#endif
#for j in 0..COLUMNS
  var c${m}_${j} = 0.0;
#endfor
#endfor
#for j in 0..COLUMNS
#if GATED && j >= COLUMNS / 2
  let from${j} = params.N + min(n + ${j}u - OUTPUTS, params.N - 1u);
#else
  let from${j} = min(n + ${j}u, params.N - 1u);
#endif
#endfor

  for (var u = lane; u < units; u += lanes) {
#if GAIN
#if AROUND_ONE
    let gain0 = gain[u * FOURS] + 1.0;
#else
    let gain0 = gain[u * FOURS];
#endif
#if WIDTH == 8 && AROUND_ONE
    let gain1 = gain[u * FOURS + 1u] + 1.0;
#elif WIDTH == 8
    let gain1 = gain[u * FOURS + 1u];
#endif
#endif
#for j in 0..COLUMNS
    let unit${j} = from${j} * units + u;
    var b${j} = decode(w[storedAt(unit${j})], unit${j});
    // The gain goes into whichever is fewer, rows or columns.
#if GAIN && ROWS >= COLUMNS
#if WIDTH == 8
    b${j} = mat2x4f(b${j}[0] * gain0, b${j}[1] * gain1);
#else
    b${j} *= gain0;
#endif
#endif
#endfor
    // Row by row: no more than one of them is in registers.
#for m in 0..ROWS
    {
      var low = x[at${m} + u * FOURS];
#if WIDTH == 8
      var high = x[at${m} + u * FOURS + 1u];
#endif
#if RSTD
      squares${m} += dot(low, low);
#if WIDTH == 8
      squares${m} += dot(high, high);
#endif
#endif
#if GAIN && ROWS < COLUMNS
      low *= gain0;
#if WIDTH == 8
      high *= gain1;
#endif
#endif
#for j in 0..COLUMNS
#if WIDTH == 8
      c${m}_${j} += dot(low, b${j}[0]) + dot(high, b${j}[1]);
#else
      c${m}_${j} += dot(low, b${j});
#endif
#endfor
    }
#endfor
  }

#if PARTS
  let fours = params.rank / 4u;
#if GATED
  let part = 0u;
#else
  let part = select(0u, 1u, n >= params.end0) + select(0u, 1u, n >= params.end1);
#endif
  for (var u = lane; u < fours; u += lanes) {
#for m in 0..ROWS
    let own${m} = narrow[(row${m} * ${PARTS}u + part) * fours + u];
#if GATED
    let next${m} = narrow[(row${m} * ${PARTS}u + 1u) * fours + u];
#endif
#endfor
#for j in 0..COLUMNS
    {
      let b = params.scale * up[from${j} * fours + u];
#for m in 0..ROWS
#if GATED && j >= COLUMNS / 2
      c${m}_${j} += dot(next${m}, b);
#else
      c${m}_${j} += dot(own${m}, b);
#endif
#endfor
    }
#endfor
  }
#endif

  // Lane i ends up with column n + i, so that a row is stored at once.
  let column = n + lane;
#for m in 0..ROWS
  {
#if RSTD
    let mean = teamSum2(vec2f(squares${m}, 0.0), lane).x / f32(params.K);
    let rstd = 1.0 / sqrt(mean + params.eps);
#else
    let rstd = 1.0;
#endif
#if TEAM == "invocation"
    var value = c${m}_${COLUMNS - 1};
#if GATED
    var gated = c${m}_0;
#endif
#else
#for h in 0..COLUMNS / 2
    let pair${h} = teamSum2(vec2f(c${m}_${2 * h}, c${m}_${2 * h + 1}), lane);
#endfor
    var value = 0.0;
#if GATED
    var gated = 0.0;
#endif
#for j in 0..COLUMNS
#if GATED && j >= COLUMNS / 2
    value = select(value, pair${j / 2}[${j % 2}u], lane == ${j}u - OUTPUTS);
#elif GATED
    gated = select(gated, pair${j / 2}[${j % 2}u], lane == ${j}u);
#else
    value = select(value, pair${j / 2}[${j % 2}u], lane == ${j}u);
#endif
#endfor
#endif
    if ((lane < OUTPUTS) & (column < params.N) & (first + ${m}u < params.M)) {
      let to = row${m} * params.N + column;
      value *= rstd;
#if GATED
      gated *= rstd;
#if BIAS
      gated += bias[column];
      value += bias[params.N + column];
#endif
#if GELU
      value *= geluTanh(gated);
#else
      value *= silu(gated);
#endif
#elif BIAS
      value += bias[column];
#endif
#if RESIDUAL
      value += residual[to];
#endif
      y[to] = value;
    }
  }
#endfor
}
