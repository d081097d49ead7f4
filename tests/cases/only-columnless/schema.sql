CREATE TABLE columnless ();
