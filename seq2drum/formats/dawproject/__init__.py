"""DAWproject, the exchange format of DAWs: the arrangement of a project read, and a song with its drums written."""
