"""Router: a route table from watches; calls come as requests on the bus and go to Pods over HTTP."""
