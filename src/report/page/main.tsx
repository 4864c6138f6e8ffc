/** Entry of the page: loads the data, draws the report. */
import { render } from 'preact';
import { App } from './app.js';
import { type LiveState, listenLive, loadBlocks } from './load.js';
import { RunState } from './run-state.js';

const root = document.getElementById('page') as HTMLElement;
const events = root.dataset.events;
const state = new RunState();
let live: LiveState | undefined = events === undefined ? undefined : 'connecting';

root.replaceChildren();
const draw = () => render(<App state={state} live={live} />, root);
if (events === undefined) {
  void loadBlocks(state, draw);
} else {
  draw();
  listenLive(events, state, (now) => {
    live = now;
    draw();
  });
}
