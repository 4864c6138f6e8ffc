// Reductions over one workgroup; every invocation receives the result. Call them in uniform control flow, after
// declaring `override WORKGROUP`. The order of additions depends on nothing but the workgroup and subgroup sizes, so
// reruns on one adapter agree bit for bit.
//   default     a tree in workgroup memory
//   SUBGROUPS   one subgroup operation, then the few subgroup results through workgroup memory
//   ONE_SUBGROUP (with SUBGROUPS) the workgroup is exactly one subgroup: no memory, no barrier. Software drivers pay
//               for every barrier by saving and restoring all invocations.
#define SUBGROUPS    // use subgroup operations
#define ONE_SUBGROUP // the workgroup is one subgroup; only with SUBGROUPS

#if SUBGROUPS
enable subgroups;
#endif
#if ONE_SUBGROUP
fn workgroupSum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }
fn workgroupSum2(value: vec2f, lane: u32) -> vec2f { return subgroupAdd(value); }
fn workgroupMax(value: f32, lane: u32) -> f32 { return subgroupMax(value); }
#elif SUBGROUPS
// Each subgroup's result stands in every slot of its lanes; lanes are numbered consecutively within subgroups.
var<workgroup> reduced: array<vec2f, WORKGROUP>;

fn workgroupSum2(value: vec2f, lane: u32) -> vec2f {
  let size = subgroupAdd(1u);
  let own = subgroupAdd(value);
  workgroupBarrier();
  reduced[lane] = own;
  workgroupBarrier();
  var total = reduced[0];
  for (var i = size; i < WORKGROUP; i += size) { total += reduced[i]; }
  return total;
}

fn workgroupSum(value: f32, lane: u32) -> f32 {
  let size = subgroupAdd(1u);
  let own = subgroupAdd(value);
  workgroupBarrier();
  reduced[lane].x = own;
  workgroupBarrier();
  var total = reduced[0].x;
  for (var i = size; i < WORKGROUP; i += size) { total += reduced[i].x; }
  return total;
}

fn workgroupMax(value: f32, lane: u32) -> f32 {
  let size = subgroupAdd(1u);
  let own = subgroupMax(value);
  workgroupBarrier();
  reduced[lane].x = own;
  workgroupBarrier();
  var largest = reduced[0].x;
  for (var i = size; i < WORKGROUP; i += size) { largest = max(largest, reduced[i].x); }
  return largest;
}
#else
var<workgroup> reduced: array<vec2f, WORKGROUP>;

fn workgroupSum2(value: vec2f, lane: u32) -> vec2f {
  workgroupBarrier();
  reduced[lane] = value;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { reduced[lane] += reduced[lane + half]; }
  }
  workgroupBarrier();
  return reduced[0];
}

fn workgroupSum(value: f32, lane: u32) -> f32 { return workgroupSum2(vec2f(value, 0.0), lane).x; }

fn workgroupMax(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  reduced[lane].x = value;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { reduced[lane].x = max(reduced[lane].x, reduced[lane + half].x); }
  }
  workgroupBarrier();
  return reduced[0].x;
}
#endif
