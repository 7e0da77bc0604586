// Mouse, pen, finger and keys on a pane become actions.

const FAR = 5; // pixels of the screen that a click may wander before it is a stroke

function listenTo(pane, desk) {
  const { canvas } = pane;
  let drag = null;

  const isPositive = (event) => (desk.sign === 'positive') !== (event.shiftKey || event.button === 2);

  canvas.addEventListener('contextmenu', (event) => event.preventDefault());

  canvas.addEventListener('pointerdown', (event) => {
    if (!pane.size || drag || (event.button !== 0 && event.button !== 2)) return;
    canvas.dataset.pointer = ''; // no ring around what a pointer has chosen
    canvas.focus({ preventScroll: true });
    desk.cross = null;
    const place = pane.place(event);
    if (desk.reply.view === 'attention') {
      desk.ask(place);
    } else if (desk.reply.view === 'masks') {
      canvas.setPointerCapture(event.pointerId);
      drag = { id: event.pointerId, start: [event.clientX, event.clientY], positive: isPositive(event), places: [place] };
      drag.tool = desk.tool;
      update(event);
    }
  });

  canvas.addEventListener('pointermove', (event) => {
    desk.hover = pane.size ? { pane, place: pane.place(event) } : null;
    if (drag && event.pointerId === drag.id) update(event);
    desk.paint();
  });

  canvas.addEventListener('pointerleave', () => { desk.hover = null; desk.paint(); });

  // The browser took the finger to scroll.
  canvas.addEventListener('pointercancel', () => { drag = desk.draft = null; desk.paint(); });

  canvas.addEventListener('pointerup', (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    update(event);
    const mark = desk.draft;
    drag = desk.draft = null;
    if (mark) desk.mark(mark);
    desk.paint();
  });

  function update(event) {
    const place = pane.place(event);
    const [dx, dy] = [event.clientX - drag.start[0], event.clientY - drag.start[1]];
    const wandered = Math.hypot(dx, dy) > FAR;
    if (drag.tool === 'click' && wandered && event.pointerType !== 'touch') drag.tool = 'brush';
    if (drag.tool === 'box') {
      const [x, y] = drag.places[0];
      const xyxy = [Math.min(x, place[0]), Math.min(y, place[1]), Math.max(x, place[0]), Math.max(y, place[1])];
      desk.draft = wandered && xyxy[0] < xyxy[2] && xyxy[1] < xyxy[3] ? { kind: 'box', xyxy } : null;
    } else if (drag.tool === 'brush') {
      addPlace(place);
      desk.draft = { kind: 'stroke', points: drag.places, width: desk.brush(pane), positive: drag.positive };
    } else {
      const [x, y] = drag.places[0];
      desk.draft = { kind: 'point', x, y, positive: drag.positive };
    }
    desk.paint();
  }

  // Places closer than the eye tells apart are left out, so that a long stroke stays short on its way.
  function addPlace(place) {
    const last = drag.places[drag.places.length - 1];
    const step = 2 * (pane.size[0] / canvas.clientWidth);
    if (Math.hypot(place[0] - last[0], place[1] - last[1]) < step) return;
    if (drag.places.length < desk.app.max_points) drag.places.push(place);
  }

  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    delete canvas.dataset.pointer;
    if (!pane.size || event.ctrlKey || event.metaKey || event.altKey) return;
    const [width, height] = pane.size;
    const [x, y] = desk.cross || [width / 2, height / 2];
    if (step) {
      const far = Math.max(width, height) * (event.shiftKey ? 0.1 : 0.02);
      const inside = (value, size) => Math.min(Math.max(value, 0), size * (1 - 1e-6));
      desk.cross = [inside(x + step[0] * far, width), inside(y + step[1] * far, height)];
    } else if (event.key === 'Enter' || event.key === ' ') {
      desk.cross = [x, y];
      if (desk.reply.view === 'attention') desk.ask([x, y]);
      if (desk.reply.view === 'masks') {
        desk.mark({ kind: 'point', x, y, positive: (desk.sign === 'positive') !== event.shiftKey });
      }
    } else {
      return;
    }
    event.preventDefault();
    desk.paint();
  });
}
