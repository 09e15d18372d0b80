"""How the sandbox answers: the API's routes, its words, and the UAA."""
