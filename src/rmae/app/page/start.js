// The page as a whole: it shows what the server says, and tells it what is done.

const find = (id) => element.querySelector('#' + id);
const HINTS = {
  click: 'Click on an object, and Shift-click beside it. Drag to paint.',
  brush: 'Paint on an object, and with Shift beside it.',
  box: 'Drag a box around an object.',
  attention: 'Click on a patch to see what it looks at.',
  regions: 'The regions that a source finds in the picture.',
};
if (window.matchMedia('(pointer: coarse)').matches) {
  HINTS.click = 'Tap on an object; choose Beside for what does not belong to it.';
  HINTS.brush = 'Paint on an object, or beside it.';
  HINTS.attention = 'Tap on a patch to see what it looks at.';
}

const desk = {
  app: JSON.parse(props.value).app,
  reply: JSON.parse(props.value),
  photo: null, // the picture as it was sent, once
  panes: [],
  tool: 'click',
  sign: 'positive',
  draft: null, // the mark that is being made
  hover: null,
  cross: null, // where keys have moved the cross, in pixels of the picture
  brush: (pane) => Math.min((Number(find('rm-brush').value) * pane.size[0]) / pane.canvas.clientWidth, ...pane.size),
  act(action) { desk.say(''); mailbox.post(action); desk.render(); },
  // Not on the old picture while a new one is on its way, on which it would be found.
  isOpening: () => mailbox.unanswered().some(({ kind }) => kind === 'open_file' || kind === 'open_example'),
  mark(mark) { if (!desk.isOpening()) desk.act(mark); },
  ask(place) {
    if (desk.isOpening()) return;
    for (const pane of desk.panes) if (pane.grid) pane.patch = pane.patchAt(place);
    desk.act({ kind: 'ask', x: place[0], y: place[1] });
  },
  say(message) {
    find('rm-message').hidden = !message;
    find('rm-message-text').textContent = message;
  },
  paint() { requestAnimationFrame(() => desk.panes.forEach((pane) => pane.draw(drawOver))); },
  render() {
    const { reply } = desk;
    const seen = foresee(reply, mailbox.unanswered());
    desk.seen = seen;
    const open = Boolean(reply.picture);
    for (const id of ['rm-bar', 'rm-panes', 'rm-panel']) find(id).hidden = !open;
    find('rm-empty').hidden = open;
    find('rm-compare-label').hidden = !open || desk.app.models.length < 2;
    find('rm-title').textContent = desk.app.models.slice(0, seen.compare ? 2 : 1).join(' and ');
    find('rm-hint').textContent = open ? HINTS[seen.view === 'masks' ? desk.tool : seen.view] : 'Open a picture, click on a thing, and see what the model makes of it.';
    show(reply, seen);
    desk.paint();
  },
};

const mailbox = makeMailbox(
  (number, actions) =>
    trigger('act', { number, has_picture: desk.reply.picture ? desk.reply.picture.number : 0, actions }),
  (busy) => find('rm-desk').classList.toggle('rm-busy', busy),
  () => {
    desk.render();
    desk.say('The app does not answer any more. Start it again, then reload this page.');
  },
);
const show = makePanel(find, desk);

function drawOver(pane, context) {
  const [scale, ratio] = [pane.scale(), pane.ratio()];
  if (desk.reply.view === 'masks') {
    const marks = [...desk.seen.objects[desk.seen.chosen], ...(desk.draft ? [desk.draft] : [])];
    for (const kind of ['stroke', 'box', 'point']) {
      for (const mark of marks) if (mark.kind === kind) drawMark(context, mark, scale, ratio, desk.app);
    }
    if (desk.hover && desk.tool === 'brush' && !desk.draft) drawBrush(context, scale, ratio, pane);
  }
  if (desk.reply.view === 'attention' && pane.grid) {
    if (desk.hover) pane.drawPatch(context, pane.patchAt(desk.hover.place), true);
    if (pane.patch) pane.drawPatch(context, pane.patch, false);
  }
  if (desk.cross && desk.reply.view !== 'regions') drawCross(context, desk.cross[0] * scale, desk.cross[1] * scale, ratio);
}

function drawBrush(context, scale, ratio, pane) {
  const [x, y] = desk.hover.place;
  for (const [colour, width] of [['#000', 3], ['#fff', 1.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.beginPath();
    context.arc(x * scale, y * scale, (desk.brush(pane) * scale) / 2, 0, 2 * Math.PI);
    context.stroke();
  }
}

function receive() {
  const reply = JSON.parse(props.value);
  const took = mailbox.receive(reply);
  if (took === null) return;
  const { picture } = reply;
  if (!picture || !desk.reply.picture || picture.number !== desk.reply.picture.number) desk.cross = null;
  delete find('rm-desk').dataset.shown;
  desk.photo = picture ? picture.uri || desk.photo : null;
  desk.reply = reply;
  const shown = desk.panes.map((pane, i) => {
    pane.figure.hidden = !reply.panes[i];
    return picture && reply.panes[i] ? pane.show(reply, reply.panes[i], desk.photo) : null;
  });
  find('rm-panes').dataset.number = reply.panes.length;
  desk.render();
  if (reply.message) desk.say(reply.message);
  if (reply.file) save(reply.file);
  Promise.all(shown).then(() => {
    if (desk.reply !== reply) return;
    find('rm-status').textContent = picture
      ? picture.name + ', ' + picture.width + ' \u00d7 ' + picture.height + ' pixels'
      : '';
    // For tests: that this answer is seen, what the server has, and how long it took in milliseconds.
    const { number, objects, chosen } = reply;
    Object.assign(find('rm-desk').dataset, { shown: number, reply: JSON.stringify({ objects, chosen }), took: Math.round(took) });
  });
}

function save(file) {
  const bytes = Uint8Array.from(atob(file.encoded), (letter) => letter.charCodeAt(0));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function openFile(file) {
  if (!file) return;
  const most = desk.app.max_upload;
  if (file.size > most) {
    desk.say(file.name + ' has ' + (file.size / 1e6).toFixed(1) + ' MB; at most ' + most / 1e6 + ' MB are taken.');
    return;
  }
  const reader = new FileReader();
  find('rm-status').textContent = 'Opening ' + file.name + ' \u2026';
  reader.addEventListener('load', () => {
    const encoded = reader.result.slice(reader.result.indexOf(',') + 1);
    desk.act({ kind: 'open_file', name: file.name, encoded: file.size ? encoded : '' });
  });
  reader.addEventListener('error', () => desk.say(file.name + ' cannot be read.'));
  reader.readAsDataURL(file);
}

function listenToFiles() {
  for (const id of ['rm-open', 'rm-empty']) find(id).addEventListener('click', () => find('rm-file').click());
  find('rm-file').addEventListener('change', (event) => {
    openFile(event.target.files[0]);
    event.target.value = ''; // so that the same file can be opened again
  });
  let depth = 0;
  const over = (change) => {
    depth = change ? Math.max(0, depth + change) : 0;
    find('rm-desk').classList.toggle('rm-over', depth > 0);
  };
  // Anywhere on the page, for a file that is dropped beside the picture would else take the page's place.
  document.addEventListener('dragenter', () => over(1));
  document.addEventListener('dragleave', () => over(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    over(0);
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
    else desk.say('Drop a file; the app fetches nothing from an address.');
  });
  document.addEventListener('paste', (event) => openFile(event.clipboardData.files[0]));
}

function listenToKeys() {
  document.addEventListener('keydown', (event) => {
    if (!desk.reply.picture) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && !event.shiftKey && event.key.toLowerCase() === 'z') {
      event.preventDefault();
      desk.act({ kind: 'undo' });
    } else if (!control && !event.altKey && event.key.toLowerCase() === 'n' && event.target.tagName !== 'SELECT') {
      desk.act({ kind: 'new_object' });
    }
  });
}

function start() {
  const { app } = desk;
  find('rm-limits').textContent = 'up to ' + app.max_upload / 1e6 + ' MB and ' + app.max_pixels / 1e6 + ' megapixels';
  find('rm-examples').replaceChildren(...app.examples.map(({ name, uri }, number) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.id = 'rm-example-' + number;
    button.title = name;
    const image = Object.assign(new Image(), { src: uri, alt: 'Open the picture ' + name });
    button.append(image);
    button.addEventListener('click', () => desk.act({ kind: 'open_example', number }));
    return button;
  }));
  desk.panes = app.models.map((_, number) => makePane(number, () => desk.paint()));
  for (const pane of desk.panes) {
    find('rm-panes').append(pane.figure);
    listenTo(pane, desk);
    new ResizeObserver(() => desk.paint()).observe(pane.canvas);
  }
  listenToFiles();
  listenToKeys();
  desk.render();
  watch('value', receive);
}

start();
