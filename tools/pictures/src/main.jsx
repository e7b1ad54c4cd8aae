// Draws the dashboard of /dashboard.json, then sends the result to /report.
require('@fontsource/inter/400.css');
require('@fontsource/inter/500.css');
require('uplot/dist/uPlot.min.css');
const React = require('react');
const { createRoot } = require('react-dom/client');
const { ThemeContext, createTheme, dateTime } = require('@grafana/data');
const { GlobalStyles, Icon, PanelChrome, PortalContainer } = require('@grafana/ui');
const { frames } = require('./frames');
const { prepare } = require('./fields');
const { KINDS } = require('./panels');

const CELL = 30; // height of a row of Grafana's grid, and the space between panels
const GAP = 8;
const COLUMNS = 24;
const HEADER = 88;
const SETTLE_MILLISECONDS = 3000;

const errors = [];
const fail = (where, error) => errors.push(`${where}: ${error?.stack ?? error}`);
window.addEventListener('error', ({ error, message }) => message.startsWith('ResizeObserver') || fail('page', error ?? message));
window.addEventListener('unhandledrejection', ({ reason }) => fail('page', reason));

class Guard extends React.Component {
  state = {};
  static getDerivedStateFromError(error) {
    return { error };
  }
  componentDidCatch(error) {
    fail(this.props.title, error);
  }
  render() {
    return this.state.error ? null : this.props.children;
  }
}

function place({ x, y, w, h }, width) {
  const column = (width - GAP * (COLUMNS + 1)) / COLUMNS;
  return {
    position: 'absolute',
    left: GAP + x * (column + GAP),
    top: HEADER + y * (CELL + GAP),
    width: Math.round(w * column + (w - 1) * GAP),
    height: h * CELL + (h - 1) * GAP,
  };
}

function Header({ dashboard, theme }) {
  const box = { border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '5px 10px', marginRight: 12 };
  const label = { ...box, marginRight: 0, borderRight: 0, background: theme.colors.background.secondary };
  return (
    <div style={{ padding: '12px 16px' }}>
      <div style={{ fontSize: 18, fontWeight: 500, marginBottom: 10 }}>{dashboard.title}</div>
      <div style={{ display: 'flex', fontSize: 12 }}>
        {dashboard.variables.map((variable) => (
          <React.Fragment key={variable.label}>
            <span style={label}>{variable.label}</span>
            <span style={box}>{variable.adhoc ? '+' : variable.value}</span>
          </React.Fragment>
        ))}
      </div>
    </div>
  );
}

function Panel({ panel, prepared, width, theme, span }) {
  const { top, left, ...size } = place(panel.gridPos, width);
  const Kind = KINDS[panel.type];
  return (
    <div data-panel={panel.title} style={{ position: 'absolute', top, left, ...size }}>
      <PanelChrome title={panel.title} description={panel.description} {...size}>
        {(innerWidth, innerHeight) => (
          <Guard title={panel.title}>
            <Kind panel={panel} {...prepared} theme={theme} span={span} width={innerWidth} height={innerHeight} />
          </Guard>
        )}
      </PanelChrome>
    </div>
  );
}

function Row({ panel, width }) {
  const style = { ...place(panel.gridPos, width), display: 'flex', alignItems: 'center', fontWeight: 500, fontSize: 16 };
  return (
    <div style={style}>
      <Icon name="angle-down" /> &nbsp;{panel.title}
    </div>
  );
}

async function draw() {
  const dashboard = await (await fetch('/dashboard.json')).json();
  const theme = createTheme({ colors: { mode: 'dark' } });
  const width = window.innerWidth;
  const [from, to] = [dateTime(dashboard.from), dateTime(dashboard.to)];
  const span = { from, to, raw: { from, to } };
  const drawn = [];
  for (const panel of dashboard.panels) {
    if (panel.type === 'row') {
      drawn.push(<Row key={panel.id} panel={panel} width={width} />);
    } else if (!KINDS[panel.type]) {
      fail(panel.title, `a panel of type ${panel.type}`);
    } else {
      try {
        const prepared = await prepare(panel, frames(panel.targets), theme);
        drawn.push(<Panel key={panel.id} panel={panel} prepared={prepared} width={width} theme={theme} span={span} />);
      } catch (error) {
        fail(panel.title, error);
      }
    }
  }
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Header dashboard={dashboard} theme={theme} />
      {drawn}
      <PortalContainer />
    </ThemeContext.Provider>
  );
  await new Promise((done) => setTimeout(done, SETTLE_MILLISECONDS));
}

// The width of a table's columns that do not fit: they would need sideways scrolling.
const hiddenPixels = (grid) => (grid ? grid.scrollWidth - grid.clientWidth : 0);

// The visible contents of each panel: its text, and whether it has a graph.
function report() {
  const panels = [...document.querySelectorAll('[data-panel]')].map((element) => ({
    title: element.dataset.panel,
    text: element.innerText,
    graphs: element.querySelectorAll('canvas').length,
    hidden: hiddenPixels(element.querySelector('[role="grid"]')),
  }));
  return { errors, panels };
}

draw()
  .catch((error) => fail('page', error))
  .finally(() => fetch('/report', { method: 'POST', body: JSON.stringify(report()) }));
