// What is seen of one model: the picture, what is laid over it, and marks. Whatever the size, a canvas of as many
// pixels as the screen has there.

function makePane(number, paint) {
  const figure = document.createElement('figure');
  figure.className = 'rm-pane';
  const canvas = document.createElement('canvas');
  canvas.id = 'rm-canvas-' + number;
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'application');
  canvas.setAttribute('aria-roledescription', 'picture to mark');
  const caption = document.createElement('figcaption');
  caption.innerHTML = '<strong></strong> <span></span>';
  figure.append(canvas, caption);
  const pane = { number, figure, canvas, photo: null, layer: null, overlay: null, grid: null, patch: null, size: null };
  const asked = {};

  // Pictures are decoded beside the page; the old one is seen until the new one is there, and late ones are dropped.
  async function load(name, uri) {
    if (asked[name] === uri) return;
    asked[name] = uri;
    let image = null;
    if (uri) {
      image = new Image();
      image.src = uri;
      await image.decode();
    }
    if (asked[name] === uri) {
      pane[name] = image;
      paint();
    }
  }

  pane.show = (reply, found, photo) => {
    const picture = reply.picture;
    caption.firstChild.textContent = found.name;
    caption.lastChild.textContent = found.caption;
    figure.classList.toggle('rm-captioned', Boolean(found.caption) || reply.compare);
    canvas.setAttribute('aria-label', picture.name + ', ' + picture.width + ' by ' + picture.height + ' pixels. ' +
      'Arrow keys move a cross, Enter marks the object there, Shift and Enter what is beside it.');
    pane.size = [picture.width, picture.height];
    canvas.style.setProperty('--shape', picture.width / picture.height);
    pane.grid = found.grid || null;
    pane.patch = found.patch || null;
    if (asked.photo !== photo) {
      pane.photo = pane.layer = pane.overlay = null;
      asked.layer = asked.overlay = null;
    }
    return Promise.all([load('photo', photo), load('layer', found.layer), load('overlay', found.overlay)]);
  };

  pane.scale = () => canvas.width / pane.size[0];
  pane.ratio = () => canvas.width / Math.max(1, canvas.clientWidth);

  // A place of the picture from one of the window.
  pane.place = (event) => {
    const box = canvas.getBoundingClientRect();
    const [width, height] = pane.size;
    const inside = (value, size) => Math.min(Math.max(value, 0), size * (1 - 1e-6));
    return [
      inside(((event.clientX - box.left) / box.width) * width, width),
      inside(((event.clientY - box.top) / box.height) * height, height),
    ];
  };

  pane.patchAt = ([x, y]) => [
    Math.floor((y / pane.size[1]) * pane.grid[0]),
    Math.floor((x / pane.size[0]) * pane.grid[1]),
  ];

  pane.draw = (drawOver) => {
    if (!pane.size || !canvas.clientWidth) return;
    const width = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    const height = Math.max(1, Math.round((width * pane.size[1]) / pane.size[0]));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.clearRect(0, 0, width, height);
    for (const image of [pane.layer || pane.photo, pane.layer ? null : pane.overlay]) {
      if (image) context.drawImage(image, 0, 0, width, height);
    }
    drawOver(pane, context);
  };

  pane.drawPatch = (context, [row, column], dashed) => {
    const [rows, columns] = pane.grid;
    const ratio = pane.ratio();
    const [width, height] = [canvas.width / columns, canvas.height / rows];
    context.save();
    for (const [colour, line] of [['#000', 4], ['#fff', 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = line * ratio;
      context.setLineDash(dashed && colour === '#fff' ? [4 * ratio, 3 * ratio] : []);
      context.strokeRect(column * width, row * height, width, height);
    }
    context.restore();
  };

  return pane;
}
