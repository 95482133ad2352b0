"""The MCP server: runs for coding agents, as tools and resources of the Model Context Protocol.

Every tool sends requests to the JSON API, with the token of its caller: over the network, or to an app in this process.
So a caller has the same rights here as in the API. Import these modules only with the extra `mcp` installed.
"""
