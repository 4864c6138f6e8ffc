/** The memory of graphics cards, of which WebGPU tells nothing. */

/** A card, or a chip that shares the memory of the machine, as something on the machine describes it. */
export interface Card {
  /** Its name; empty where the source has none. */
  readonly name: string;
  readonly vendor: CardVendor | '';
  /** Whether it has memory of its own. */
  readonly discrete: boolean;
  /** Bytes that it has, or may use of the machine's. */
  readonly bytes: number;
  /** Bytes that nobody uses now; null where nobody tells. */
  readonly free: number | null;
  /** Who says so, for people. */
  readonly source: string;
}

/** Makers of GPUs, in WebGPU's words. */
export type CardVendor = 'nvidia' | 'amd' | 'intel' | 'apple';

/** Memory of the machine that a program may have. */
export interface MachineMemory {
  readonly bytes: number;
  readonly free: number;
}

/** Finds them. Nothing here takes longer than some seconds, and nothing throws. */
export interface Cards {
  /** All that can be found, in no order. */
  list(): Promise<readonly Card[]>;
  /** The machine's own memory, or that of the container; what a software driver has. */
  machine(): MachineMemory;
}
