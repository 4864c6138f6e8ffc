/** Entry of the page "This GPU". */
import { render } from 'preact';
import { App } from './app.js';

render(<App />, document.getElementById('page') as HTMLElement);
