// Results of Prometheus as data frames, in both formats of Grafana's Prometheus data source.
const { FieldType, createDataFrame, formatLabels } = require('@grafana/data');

const number = (text) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

// `{{label}}` in a legend is replaced by the label's value; `__auto` uses the labels as name, if there are any.
function legend(format, labels, expr) {
  if (format === '__auto') {
    return Object.keys(labels).length ? undefined : expr;
  }
  if (!format) {
    return formatLabels(labels);
  }
  return format.replace(/{{\s*(.+?)\s*}}/g, (_, label) => labels[label] ?? '');
}

// One frame for each series; those of an instant query have one value each.
function series(target) {
  return target.answer.map(({ metric, value, values }) => {
    const points = values ?? [value];
    const { __name__, ...labels } = metric;
    return createDataFrame({
      refId: target.refId,
      fields: [
        {
          name: 'Time',
          type: FieldType.time,
          config: values ? { interval: target.step * 1000 } : {},
          values: points.map(([time]) => time * 1000),
        },
        {
          name: 'Value',
          type: FieldType.number,
          labels,
          config: { displayNameFromDS: legend(target.legendFormat, metric, target.expr) },
          values: points.map(([, text]) => number(text)),
        },
      ],
    });
  });
}

// One frame for each query: a column for each label, and the value, named after the query if there are several.
function table(target, count) {
  const labels = [...new Set(target.answer.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const column = (name, type, of) => ({ name, type, config: {}, values: target.answer.map(of) });
  return createDataFrame({
    refId: target.refId,
    fields: [
      column('Time', FieldType.time, ({ value }) => value[0] * 1000),
      ...labels.map((label) => column(label, FieldType.string, ({ metric }) => metric[label])),
      column(count > 1 ? `Value #${target.refId}` : 'Value', FieldType.number, ({ value }) => number(value[1])),
    ],
  });
}

// All frames of a panel. Its queries have one format.
exports.frames = (targets) => {
  const formats = new Set(targets.map((target) => target.format));
  if (formats.size !== 1) {
    throw new Error(`queries of several formats: ${[...formats]}`);
  }
  const [format] = formats;
  if (format === 'time_series') {
    return targets.flatMap(series);
  }
  if (format === 'table' && targets.every((target) => target.instant)) {
    return targets.some((target) => target.answer.length) ? targets.map((target) => table(target, targets.length)) : [];
  }
  throw new Error(`format ${format}`);
};
