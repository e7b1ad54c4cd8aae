// What pages do in addition if scripts run. Each page is complete without it.
"use strict";
