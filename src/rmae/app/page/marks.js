// Marks on the canvas, and what they will be once the server has answered.

// What will be seen after actions that are still on their way.
function foresee(reply, actions) {
  let objects = reply.objects.map((object) => object.marks.slice());
  let { chosen, view, compare, attention, regions } = reply;
  for (const action of actions) {
    if (['point', 'stroke', 'box'].includes(action.kind)) {
      if (action.kind === 'box') objects[chosen] = objects[chosen].filter((mark) => mark.kind !== 'box');
      objects[chosen].push(action);
    } else if (action.kind === 'new_object') {
      const empty = objects.findIndex((marks) => !marks.length);
      if (empty < 0) objects.push([]);
      chosen = empty < 0 ? objects.length - 1 : empty;
    } else if (action.kind === 'choose_object') {
      chosen = Math.min(action.number, objects.length - 1);
    } else if (action.kind === 'remove_object') {
      objects.splice(action.number, 1);
      if (!objects.length) objects = [[]];
      if (chosen > action.number) chosen -= 1;
      chosen = Math.min(chosen, objects.length - 1);
    } else if (action.kind === 'undo') {
      objects[chosen].pop(); // what else it may take back is seen when the answer comes
    } else if (action.kind === 'open_file' || action.kind === 'open_example') {
      objects = [[]];
      chosen = 0;
    } else if (action.kind === 'show') {
      view = action.view;
    } else if (action.kind === 'compare') {
      compare = action.on;
    } else if (action.kind === 'attend') {
      attention = { ...attention, layer: action.layer, head: action.head };
    } else if (action.kind === 'show_regions') {
      regions = { ...regions, source: action.source, label_map: action.label_map };
    }
  }
  return { objects, chosen, view, compare, attention, regions };
}

// `ratio`: pixels of the screen in one of the style sheet's; `scale`: pixels of the canvas in one of the picture.
function drawMark(context, mark, scale, ratio, colours) {
  const colour = mark.positive === false ? colours.negative : colours.positive;
  if (mark.kind === 'stroke') {
    drawStroke(context, mark, scale, colour);
  } else if (mark.kind === 'box') {
    drawBox(context, mark.xyxy.map((place) => place * scale), ratio);
  } else {
    drawPoint(context, mark.x * scale, mark.y * scale, mark.positive, ratio, colour);
  }
}

function drawStroke(context, mark, scale, colour) {
  context.save();
  context.globalAlpha = 0.6;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = mark.width * scale;
  context.lineCap = context.lineJoin = 'round';
  context.beginPath();
  mark.points.forEach(([x, y], i) => (i ? context.lineTo(x * scale, y * scale) : context.moveTo(x * scale, y * scale)));
  if (mark.points.length === 1) context.lineTo(mark.points[0][0] * scale + 0.01, mark.points[0][1] * scale);
  context.stroke();
  context.restore();
}

function drawBox(context, [left, top, right, bottom], ratio) {
  context.save();
  for (const [colour, width, dash] of [['#000', 4, []], ['#fff', 2, [7, 5]]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.setLineDash(dash.map((length) => length * ratio));
    context.strokeRect(left, top, right - left, bottom - top);
  }
  context.restore();
}

function drawPoint(context, x, y, positive, ratio, colour) {
  const radius = 8 * ratio;
  context.save();
  for (const [extra, fill] of [[3, 'rgba(0, 0, 0, 0.75)'], [2, '#fff'], [0, colour]]) {
    context.fillStyle = fill;
    context.beginPath();
    context.arc(x, y, radius + extra * ratio, 0, 2 * Math.PI);
    context.fill();
  }
  context.strokeStyle = '#fff';
  context.lineWidth = 2.4 * ratio;
  context.lineCap = 'round';
  context.beginPath();
  context.moveTo(x - radius * 0.55, y);
  context.lineTo(x + radius * 0.55, y);
  if (positive) {
    context.moveTo(x, y - radius * 0.55);
    context.lineTo(x, y + radius * 0.55);
  }
  context.stroke();
  context.restore();
}

function drawCross(context, x, y, ratio) {
  context.save();
  for (const [colour, width] of [['#000', 4], ['#fff', 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * 5 * ratio, y + dy * 5 * ratio);
      context.lineTo(x + dx * 14 * ratio, y + dy * 14 * ratio);
    }
    context.stroke();
  }
  context.restore();
}
