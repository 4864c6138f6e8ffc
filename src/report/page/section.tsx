/** What the sections of the page have in common. */
import type { ComponentChildren } from 'preact';
import type { RunState } from './run-state.js';

/** What each section is given. */
export interface View {
  readonly state: RunState;
  /** Changes when the run does. */
  readonly version: number;
}

/** A section with its heading. */
export function Section(props: {
  readonly id: string;
  readonly title: string;
  readonly lead?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section id={props.id} aria-labelledby={`${props.id}-title`}>
      <h2 id={`${props.id}-title`}>{props.title}</h2>
      {props.lead && <p class="lead">{props.lead}</p>}
      {props.children}
    </section>
  );
}
