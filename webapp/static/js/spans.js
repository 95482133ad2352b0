import './soft-links.js';
import './waterfall-zoom.js';
