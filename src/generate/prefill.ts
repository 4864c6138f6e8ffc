/** Reading prompts: many in one pass, images once each, keys and values into the cache. */
import { gatherRows, noGrad } from '../autograd/index.js';
import { kvAppend } from '../kernels/attention.js';
import type { Model } from '../models/core/model.js';
import { packSequences } from '../models/core/packing.js';
import type { AttentionPlace } from '../nn/attention.js';
import { fromHost, scope, type Tensor } from '../tensor/index.js';
import type { Group } from './group.js';
import type { KvSlab } from './slab.js';
import type { SlotRange } from './slots.js';

/** Runs the prompts of groups that have slots for them; leaves the hidden state of each last token with its group. */
export function prefill(model: Model, slab: KvSlab, groups: readonly Group[]): void {
  noGrad(() =>
    scope(() => {
      const sequences = groups.map(({ request }) => ({ ids: request.ids, images: request.images?.grids }));
      const packed = packSequences(model.config, sequences);
      const slots = Uint32Array.from(groups.flatMap(({ prompt }) => slotList(prompt as SlotRange)));
      const into = fromHost(model.gpu, slots, [slots.length], 'u32');
      const images = encode(model, groups);
      const batch = model.prepare(packed);
      const context = {
        rotary: batch.context.rotary,
        attend: (place: AttentionPlace, q: Tensor, k: Tensor, v: Tensor) => {
          kvAppend(slab.layers[place.layer], k, v, into);
          return batch.context.attend(place, q, k, v);
        },
      };
      const { ids, featureRows } = batch;
      const hidden = model.hiddenWith({ ids, featureRows, features: images?.features ?? [] }, context);
      let end = 0;
      for (const group of groups) {
        end += group.request.ids.length;
        group.hidden = gatherRows(hidden, [end - 1]).keep();
      }
      images?.dispose();
      batch.dispose();
    }),
  );
}

function slotList({ start, end }: SlotRange): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** Features of the images of all groups. */
function encode(model: Model, groups: readonly Group[]) {
  const images = groups.flatMap(({ request }) => request.images ?? []);
  return images.length > 0 ? model.encodeParts(images) : null;
}
