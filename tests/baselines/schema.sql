-- Schema of a freshly migrated SQLite database.

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE breakdowns (
	job_id VARCHAR(64) NOT NULL,
	stage TEXT NOT NULL,
	plugin TEXT,
	version TEXT,
	frames BIGINT NOT NULL,
	soft_failures BIGINT NOT NULL,
	timing TEXT NOT NULL,
	budget_ms FLOAT,
	over_budget BIGINT NOT NULL,
	health VARCHAR(32),
	health_reason TEXT NOT NULL,
	disabled BOOLEAN NOT NULL,
	summary TEXT,
	updated_at DATETIME NOT NULL,
	CONSTRAINT pk_breakdowns PRIMARY KEY (job_id, stage),
	CONSTRAINT fk_breakdowns_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE decisions (
	id INTEGER NOT NULL,
	job_id VARCHAR(64) NOT NULL,
	stage TEXT NOT NULL,
	worker TEXT NOT NULL,
	decision TEXT NOT NULL,
	decided_at DATETIME NOT NULL,
	CONSTRAINT pk_decisions PRIMARY KEY (id),
	CONSTRAINT fk_decisions_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE fact_counter (
	id INTEGER NOT NULL,
	head BIGINT NOT NULL,
	CONSTRAINT pk_fact_counter PRIMARY KEY (id)
);

CREATE TABLE facts (
	id BIGINT NOT NULL,
	job_id VARCHAR(64),
	type VARCHAR(32) NOT NULL,
	body TEXT NOT NULL,
	CONSTRAINT pk_facts PRIMARY KEY (id),
	CONSTRAINT fk_facts_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE job_plugins (
	job_id VARCHAR(64) NOT NULL,
	plugin TEXT NOT NULL,
	CONSTRAINT pk_job_plugins PRIMARY KEY (job_id, plugin),
	CONSTRAINT fk_job_plugins_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE jobs (
	id VARCHAR(64) NOT NULL,
	name TEXT NOT NULL,
	tags TEXT NOT NULL,
	status VARCHAR(32) NOT NULL,
	wanted VARCHAR(32) NOT NULL,
	priority INTEGER NOT NULL,
	pace VARCHAR(32) NOT NULL,
	loop INTEGER NOT NULL,
	source TEXT NOT NULL,
	upload_sha256 VARCHAR(64),
	search TEXT NOT NULL,
	"plan" TEXT,
	pipeline TEXT NOT NULL,
	device_requested VARCHAR(32) NOT NULL,
	strict_device BOOLEAN NOT NULL,
	frames_total BIGINT,
	frames_done BIGINT NOT NULL,
	progress_told INTEGER NOT NULL,
	created_at DATETIME NOT NULL,
	started_at DATETIME,
	finished_at DATETIME,
	error TEXT,
	runner TEXT,
	idempotency_key TEXT,
	fingerprint TEXT,
	CONSTRAINT pk_jobs PRIMARY KEY (id),
	CONSTRAINT uq_jobs_idempotency_key UNIQUE (idempotency_key)
);

CREATE TABLE segments (
	job_id VARCHAR(64) NOT NULL,
	segment_index INTEGER NOT NULL,
	start_frame BIGINT NOT NULL,
	end_frame BIGINT NOT NULL,
	pass_number INTEGER NOT NULL,
	planned TEXT NOT NULL,
	state VARCHAR(32) NOT NULL,
	term INTEGER NOT NULL,
	holder TEXT,
	lease_until DATETIME,
	outputs_file TEXT,
	frames INTEGER,
	loop_ms FLOAT,
	CONSTRAINT pk_segments PRIMARY KEY (job_id, segment_index),
	CONSTRAINT fk_segments_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE warnings (
	job_id VARCHAR(64) NOT NULL,
	code VARCHAR(64) NOT NULL,
	stage TEXT NOT NULL,
	message TEXT NOT NULL,
	total BIGINT NOT NULL,
	told BIGINT NOT NULL,
	first_frame_index BIGINT,
	last_frame_index BIGINT,
	first_at DATETIME NOT NULL,
	last_at DATETIME NOT NULL,
	detail TEXT,
	CONSTRAINT pk_warnings PRIMARY KEY (job_id, code, stage),
	CONSTRAINT fk_warnings_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE INDEX ix_breakdowns_plugin ON breakdowns (plugin);

CREATE INDEX ix_decisions_job_id_stage ON decisions (job_id, stage);

CREATE INDEX ix_facts_job_id_id ON facts (job_id, id);

CREATE INDEX ix_job_plugins_plugin ON job_plugins (plugin);

CREATE INDEX ix_jobs_created_at_id ON jobs (created_at, id);

CREATE INDEX ix_jobs_status_priority_created_at ON jobs (status, priority, created_at);

CREATE INDEX ix_jobs_upload_sha256 ON jobs (upload_sha256);

CREATE INDEX ix_segments_open ON segments (job_id, segment_index) WHERE state <> 'committed';
